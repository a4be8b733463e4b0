/**
 * A KV file where many tasks are finished.
 *
 * @module
 */
import { type Backend, DenoKvBackend } from "../../mod.ts";
import { Committer, type Write } from "../../src/backends/kv/committer.ts";
import { writing } from "../../src/backends/kv/stored.ts";
import { cancelledNow, claimed, created, settled } from "../../src/backends/shared/record.ts";
import { firstIdOf } from "../../src/ids.ts";
import { newTask, tick } from "../jobs.ts";

/** The jobs of the tasks. */
const RARER = Array.from({ length: 9 }, (_, number) => `job-${number}`);

/** How many tasks are written at once. */
const AT_ONCE = 2_000;

const DAY = 24 * 3_600_000;

/**
 * Opens a file of its own in which as many tasks have finished, 1 ms after another. Of a hundred, one was cancelled, and ten
 * are of nine other jobs.
 */
export async function openFile(folder: string, finished: number): Promise<Backend & AsyncDisposable> {
  const path = `${folder}/many.kv`;
  const backend = await DenoKvBackend.open({ path });
  for (const job of [tick.name, ...RARER]) { // A job is known by its first task that has not finished.
    const { id, owner } = await backend.create(newTask(job));
    await backend.cancel(id, owner, 0);
  }
  using kv = await Deno.openKv(path);
  const committer = new Committer(kv, "bench", () => {});
  const from = Date.now() - finished - 60_000;
  for (let made = 0; made < finished; made += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, finished - made) }, (_, index) => made + index);
    await Promise.all(numbers.map((number) => committer.commit(finishedTask(number, from + number))));
  }
  return backend;
}

/** What the backend writes of a task once it has finished, without the event. */
function finishedTask(number: number, at: number): Write {
  const id = firstIdOf(at).slice(0, 19) + crypto.randomUUID().slice(19);
  const job = number % 10 === 5 ? RARER[number % 9] ?? "" : tick.name;
  const task = { ...newTask(job), id, owner: `owner-${number % 1_000}`, resultTtl: 7 * DAY };
  const record = created(task, at);
  const value = { kind: "value", value: { ranAt: at } } as const;
  const end = number % 100 === 7
    ? { record: cancelledNow(record, at) }
    : settled(claimed(record, "bench", at), value, at, 0);
  const outcome = end.outcome && { outcome: { inline: JSON.stringify(end.outcome) } };
  const { event: _, ...write } = writing({ record: end.record, input: { inline: "{}" }, ...outcome }, undefined);
  return write;
}
