import { assertEquals, assertMatch, assertThrows } from "../tools/std.ts";
import { createWorker, defineJob, DefinitionError, MemoryBackend } from "../mod.ts";
import type { OnError } from "../src/log/on_error.ts";
import { gracesOf } from "./support/graces.ts";
import { returning } from "./support/attempts.ts";

const input = { type: "object" } as const;

Deno.test("a worker reports as it starts which of its jobs has a schema that cannot be used", async () => {
  const nonsense = () => ({ type: "object", properties: { n: { type: "nonsense" } } });
  const jobs = [
    defineJob({ name: "odd", input: nonsense(), run: () => {} }),
    defineJob({ name: "fine", input, output: input, run: () => ({}) }),
    defineJob({ name: "strange", input, output: nonsense(), run: () => ({}) }),
  ];
  const reports: string[] = [];
  const both = Promise.withResolvers<void>();
  await using backend = new MemoryBackend();
  const onError: OnError = (error, { where, job }) => {
    if (reports.push(`${where}: ${job}: ${error}`) === 2) both.resolve();
  };
  await using _worker = createWorker(backend, jobs, { onError });
  await both.promise;
  const [odd, strange] = reports.toSorted();
  assertMatch(odd ?? "", /^check the schemas of a job: odd: .*Cannot use the schema of the input for odd/);
  assertMatch(strange ?? "", /^check the schemas of a job: strange: .*Cannot use the schema of the result of strange/);
});

Deno.test("a worker leaves contracts to others, also beside the same job with code, and refuses to start with only contracts", async () => {
  await using backend = new MemoryBackend();
  const contract = defineJob({ name: "elsewhere", input });
  assertThrows(() => createWorker(backend, [contract]), DefinitionError, "none of its jobs has a `run`");
  const returningContract = defineJob({ name: "returning", input });
  await using worker = createWorker(backend, [contract, returning(1), returningContract]);
  await worker.ready;
  assertEquals([await backend.hasWorker("elsewhere"), await backend.hasWorker("returning")], [false, true]);
});

Deno.test("a worker refuses two jobs with code of the same name, and an invalid concurrency or grace", async () => {
  await using backend = new MemoryBackend();
  assertThrows(() => createWorker(backend, [returning(1), returning(2)]), DefinitionError, "named returning");
  for (const concurrency of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => createWorker(backend, [returning(1)], { concurrency }), DefinitionError, `${concurrency}`);
  }
  for (const grace of [-1, NaN]) {
    assertThrows(() => createWorker(backend, [returning(1)], { grace }), DefinitionError, `${grace}`);
  }
});

Deno.test("a worker with infinite grace waits as long as a timer can, since a timer of Infinity fires at once", async () => {
  await using backend = new MemoryBackend();
  const graces = gracesOf(backend);
  await createWorker(backend, [returning(1)], { grace: Infinity }).close();
  await createWorker(backend, [returning(1)]).close(Infinity);
  await createWorker(backend, [returning(1)]).close();
  assertEquals(graces, [2 ** 31 - 1, 2 ** 31 - 1, 30_000]);
});
