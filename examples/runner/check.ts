/**
 * Compares what a client has seen with what the job did.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { Expected, Interrupted, OneClient, SeveralClients } from "../catalog.ts";
import type { Answer, Update } from "../shared/update.ts";

/** What was checked, and whether it is right. */
export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

const PROGRESS = ["25 %", "60 %", "90 %"];
const RESULT = { user_id: "42", revenue: 42000, items: 17 };
const RESULTS: { readonly [job: string]: unknown } = { generate_report: RESULT, rebuild_index: { orders: 10_000 } };

/** A job that one of several clients has run. */
interface Run {
  readonly client: string;
  readonly job: string;
  readonly expected: readonly Answer[];
  /** What that client has seen of it. */
  readonly own: readonly Update[];
}

/** Checks what the client, or each of several clients, has seen. */
export function check(updates: readonly Update[], expected: Expected): readonly Finding[] {
  if ("question" in expected) return checkInterrupted(updates, expected);
  return "answers" in expected ? checkEach(updates, expected) : checkOne(updates, expected);
}

/** Checks what the calls of each client have returned, that a call which waits reports progress, and every result. */
function checkEach(updates: readonly Update[], { answers }: SeveralClients): readonly Finding[] {
  const runs: readonly Run[] = Object.entries(answers).flatMap(([client, jobs]) =>
    Object.entries(jobs).map(([job, expected]) => {
      const own = updates.filter(({ call }) => call?.client === client && call.job === job);
      return { client, job, expected, own };
    })
  );
  const describe = (job: string, answers: readonly string[]) => `${job} ${answers.join(", ")}`;
  const waiting = runs.filter(({ expected }) => !expected.includes("task"));
  const silent = waiting.filter(({ own }) => own.every(({ progress }) => jobProgress(progress) === undefined));
  const wrong = runs.filter(({ own, job }) => !isDeepStrictEqual(own.at(-1)?.result, RESULTS[job]));
  return [
    ...[...Map.groupBy(runs, ({ client }) => client)].map(([client, calls]) =>
      compare(
        client,
        calls.map(({ job, own }) => describe(job, withoutRepeats(own.map(({ answer }) => answer)))),
        calls.map(({ job, expected }) => describe(job, expected)),
        "; ",
      )
    ),
    expectNone("progress", `in all ${waiting.length} runs that wait`, silent),
    expectNone("results", `all ${runs.length} are right`, wrong),
  ];
}

function expectNone(what: string, all: string, wrong: readonly Run[]): Finding {
  const names = wrong.map(({ client, job, own }) => `${client} ${job}: ${JSON.stringify(own.at(-1) ?? null)}`);
  return { ok: wrong.length === 0, text: `${what}: ${wrong.length === 0 ? all : `not of ${names.join("; ")}`}` };
}

/** Checks the states, the progress, the result and, if there is one, the resource. */
function checkOne(updates: readonly Update[], { statuses, resource }: OneClient): readonly Finding[] {
  const resources = updates.flatMap((update) => update.resource ?? []);
  return [
    compare("states", withoutRepeats(updates.map(({ status }) => status)), statuses),
    compareProgress(withoutRepeats(updates.map(({ progress }) => jobProgress(progress)))),
    compare("result", updates.flatMap(({ result }) => result === undefined ? [] : [result]), [RESULT]),
    ...(resource ? [compare("resource", resources.map(({ content }) => content), [RESULT])] : []),
  ];
}

/** Checks that the task went on where it was: what it had recorded before its worker was killed did not run again. */
function checkInterrupted(updates: readonly Update[], { question }: Interrupted): readonly Finding[] {
  const result: unknown = updates.at(-1)?.result;
  const { workers, url, ...approved } = z.looseObject({
    workers: z.tuple([z.number(), z.number()]),
    url: z.string(),
  }).catch({ workers: [0, 0], url: "" }).parse(result);
  return [
    compare("states", withoutRepeats(updates.map(({ status }) => status)), ["working", "input_required", "completed"]),
    compare("asked, once", updates.flatMap(({ asked }) => asked ?? []), [question]),
    { ok: workers[0] !== workers[1], text: `the first step ran on worker ${workers[0]}, the last on ${workers[1]}` },
    { ok: url.endsWith(":publish"), text: `the idempotency key of the last step: ${url.split("key=").at(-1)}` },
    compare("result", [approved], [{ revenue: 42_000, approvedBy: "Ann" }]),
  ];
}

/** On a busy machine a client may miss one step of the job, which lasts 1.5 s, but not two. */
function compareProgress(got: readonly string[]): Finding {
  const oneMissing = PROGRESS.map((_, index) => PROGRESS.toSpliced(index, 1));
  return compare("progress", got, oneMissing.find((most) => isDeepStrictEqual(most, got)) ?? PROGRESS);
}

function compare(what: string, got: readonly unknown[], expected: readonly unknown[], separator = ", "): Finding {
  const text = `${what}: ${asText(got, separator)}`;
  return isDeepStrictEqual(got, expected)
    ? { ok: true, text }
    : { ok: false, text: `${text}, not ${asText(expected, separator)}` };
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

function asText(values: readonly unknown[], separator: string): string {
  return values.map((value) => typeof value === "string" ? value : JSON.stringify(value)).join(separator) || "nothing";
}
