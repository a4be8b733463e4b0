import type { Backend, WorkerInfo } from "../../src/backend.ts";
import { createClient } from "../../src/client/client.ts";
import { MemoryBackend } from "../../src/backends/memory/mod.ts";
import { DefinitionError } from "../../src/errors.ts";
import { firstIdOf } from "../../src/ids.ts";
import { operatorOf } from "../../src/operator/operator.ts";
import type { OperatedStore, Purged, TaskQuery } from "../../src/operator/primitives.ts";
import { defineJob } from "../../src/job.ts";
import type { TaskInfo } from "../../src/task.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

const unused = () => Promise.reject(new Error("It is not called."));

/** The operator of a store that has only what a case says. */
function operatorWith(has: Partial<OperatedStore>, cancel: Backend["cancel"] = unused) {
  const backend = { cancel, create: unused, documents: { read: unused, list: unused, write: unused } };
  const reads = { get: unused, input: unused, steps: unused, submitted: unused, counts: unused, workers: unused };
  const others = { hasExpired: () => false, ahead: unused, page: unused, withWorker: unused, purge: unused };
  const documents: Backend["documents"] = { ...backend.documents, watch: () => () => {} };
  const pauses = { jobs: unused, pause: unused, resume: unused };
  return operatorOf({ ...backend, documents }, { ...reads, ...others, ...has }, pauses);
}

Deno.test("a list of which several reads found nothing ends with a cursor, from which the next one goes on", async () => {
  const queries: TaskQuery[] = [];
  const page = (query: TaskQuery) => {
    queries.push(query);
    return Promise.resolve({ tasks: [], ...queries.length < 8 && { next: firstIdOf(1_000 - queries.length) } });
  };
  const operator = operatorWith({ page });
  const { tasks, nextCursor } = await operator.tasks({ job: "rare" });
  assertEquals([tasks, nextCursor], [[], firstIdOf(1_000 - queries.length)]);
  assertEquals(await operator.tasks({ job: "rare", cursor: nextCursor }), { tasks: [] });
  assertEquals(queries.map(({ before }) => before), [
    undefined,
    ...[1, 2, 3, 4, 5, 6, 7].map((n) => firstIdOf(1_000 - n)),
  ]);
});

Deno.test("a purge counts what all of its pages have deleted, and deletes only what has ended", async () => {
  const cursors: (string | undefined)[] = [];
  const pages = [{ deleted: 2, next: "a" }, { deleted: 0, next: "b" }, { deleted: 3 }];
  const purge = (_: unknown, cursor: string | undefined) => {
    cursors.push(cursor);
    return Promise.resolve(pages[cursors.length - 1] ?? { deleted: 0 });
  };
  const operator = operatorWith({ purge });
  assertEquals(await operator.purge({ status: "COMPLETED", before: 1 }), 5);
  assertEquals(cursors, [undefined, "a", "b"]);
  const running = { status: "RUNNING", before: 1 } as unknown as Purged;
  await assertRejects(() => operator.purge(running), DefinitionError, "status");
});

Deno.test("workers are listed by how long they have been alive, the oldest first", async () => {
  const workers = [["b", 2], ["c", 1], ["a", 2]].map(([name, since]) => ({ name, since }) as WorkerInfo);
  const operator = operatorWith({ workers: () => Promise.resolve(workers) });
  assertEquals((await operator.workers()).map(({ name }) => name), ["c", "a", "b"]);
});

Deno.test("a task is cancelled for its owner, and has 2 s to stop unless the operator says otherwise", async () => {
  const cancelled: unknown[] = [];
  const get = (id: string) => Promise.resolve({ id, owner: "ann" } as TaskInfo);
  const operator = operatorWith({ get }, (...which) => {
    cancelled.push(which);
    return unused();
  });
  for (const wait of [undefined, 50]) await assertRejects(() => operator.cancel("id-1", wait), Error);
  assertEquals(cancelled, [["id-1", "ann", 2_000], ["id-1", "ann", 50]]);
});

Deno.test("a retry with the same key is the same task, but for another task it is another one", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "ann" });
  const job = defineJob({ name: "report", input: { type: "object" } });
  const [one, other] = [await client.start(job, {}), await client.start(job, {})];
  for (const { id } of [one, other]) await client.cancel(id);
  const retry = async ({ id }: TaskInfo) => (await backend.operator.retry(id, "today")).id;
  const first = await retry(one);
  assertEquals([await retry(one), await retry(other) === first], [first, false]);
});
