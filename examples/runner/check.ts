/**
 * Checks what a client has seen against what the job did.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { Expected } from "../catalog.ts";
import type { Update } from "../shared/tell.ts";

/** What was looked at, and whether it is as it should be. */
export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

const PROGRESS = ["25 %", "60 %", "90 %"];
const RESULT = { user_id: "42", revenue: 42000, items: 17 };

/** Checks the states, the progress, the result and, where there is one, the resource. */
export function check(updates: readonly Update[], { statuses, resource }: Expected): readonly Finding[] {
  const resources = updates.flatMap((update) => update.resource ?? []);
  return [
    compare("states", distinct(updates.map(({ status }) => status)), statuses),
    compare("progress", distinct(updates.map(({ progress }) => onTheWay(progress))), PROGRESS),
    compare("result", updates.flatMap(({ result }) => result === undefined ? [] : [result]), [RESULT]),
    ...(resource ? [compare("resource", resources.map(({ content }) => content), [RESULT])] : []),
  ];
}

function compare(what: string, got: readonly unknown[], expected: readonly unknown[]): Finding {
  const text = `${what}: ${asText(got)}`;
  return isDeepStrictEqual(got, expected)
    ? { ok: true, text }
    : { ok: false, text: `${text}, not ${asText(expected)}` };
}

/** The percentage that the job said: 0 and 100 are the protocol's own. */
function onTheWay(progress = 0): string | undefined {
  const percent = Math.round(progress * 100);
  return percent > 0 && percent < 100 ? `${percent} %` : undefined;
}

/** What was said, without what was said again. */
function distinct<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value): value is T => value !== undefined)
    .filter((value, index, said) => index === 0 || value !== said[index - 1]);
}

function asText(values: readonly unknown[]): string {
  return values.map((value) => typeof value === "string" ? value : JSON.stringify(value)).join(", ") || "nothing";
}
