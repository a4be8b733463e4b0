/**
 * Compares what a client has seen with what the job did.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { Expected } from "../catalog.ts";
import type { Update } from "../shared/update.ts";

/** What was checked, and whether it is right. */
export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

const PROGRESS = ["25 %", "60 %", "90 %"];
const RESULT = { user_id: "42", revenue: 42000, items: 17 };

/** Checks the states, the progress, the result and, if there is one, the resource. */
export function check(updates: readonly Update[], { statuses, resource }: Expected): readonly Finding[] {
  const resources = updates.flatMap((update) => update.resource ?? []);
  return [
    compare("states", withoutRepeats(updates.map(({ status }) => status)), statuses),
    compare("progress", withoutRepeats(updates.map(({ progress }) => jobProgress(progress))), PROGRESS),
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

/** The percentage that the job reported; 0 and 100 come from the protocol. */
function jobProgress(progress = 0): string | undefined {
  const percent = Math.round(progress * 100);
  return percent > 0 && percent < 100 ? `${percent} %` : undefined;
}

/** The values without immediate repeats. */
function withoutRepeats<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value): value is T => value !== undefined)
    .filter((value, index, all) => index === 0 || value !== all[index - 1]);
}

function asText(values: readonly unknown[]): string {
  return values.map((value) => typeof value === "string" ? value : JSON.stringify(value)).join(", ") || "nothing";
}
