import type { Backend } from "../../src/backend.ts";
import { firstIdOf } from "../../src/ids.ts";
import { operatorOf } from "../../src/operator/operator.ts";
import type { OperatedStore, TaskQuery } from "../../src/operator/primitives.ts";
import { assertEquals } from "../../tools/std.ts";

const unused = () => Promise.reject(new Error("It is not called."));

/** The operator of a store that reads pages as a case says. */
function operatorWith(page: OperatedStore["page"]) {
  const backend = { cancel: unused, create: unused, documents: { read: unused, list: unused, write: unused } };
  const reads = { get: unused, input: unused, steps: unused, submitted: unused, counts: unused, workers: unused };
  const store = { ...reads, hasExpired: () => false, ahead: unused, page, withWorker: unused, purge: unused };
  const documents: Backend["documents"] = { ...backend.documents, watch: () => () => {} };
  return operatorOf({ ...backend, documents }, store, { jobs: unused, pause: unused, resume: unused });
}

Deno.test("a list of which several reads found nothing ends with a cursor, from which the next one goes on", async () => {
  const queries: TaskQuery[] = [];
  const operator = operatorWith((query) => {
    queries.push(query);
    return Promise.resolve({ tasks: [], ...queries.length < 8 && { next: firstIdOf(1_000 - queries.length) } });
  });
  const { tasks, nextCursor } = await operator.tasks({ job: "rare" });
  assertEquals([tasks, nextCursor], [[], firstIdOf(1_000 - queries.length)]);
  assertEquals(await operator.tasks({ job: "rare", cursor: nextCursor }), { tasks: [] });
  assertEquals(queries.map(({ before }) => before), [
    undefined,
    ...[1, 2, 3, 4, 5, 6, 7].map((n) => firstIdOf(1_000 - n)),
  ]);
});
