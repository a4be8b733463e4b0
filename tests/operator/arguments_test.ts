import { createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { DefinitionError, InvalidInput, TaskNotFound } from "../../src/errors.ts";
import { newTaskId } from "../../src/ids.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { newTask } from "../support/tasks.ts";

const LONG = "x".repeat(5_000);

Deno.test("invalid arguments of an operator are refused, and change nothing", async () => {
  await using backend = new MemoryBackend();
  const { operator } = backend;
  const refuses = async (method: string, ...args: unknown[]) => {
    await assertRejects(
      async () => await Reflect.apply(Reflect.get(operator, method), operator, args),
      DefinitionError,
    );
  };
  const { id } = await backend.create(newTask({ job: "waits" }));

  for (const no of [undefined, null, 5, {}, [id]]) {
    for (const method of ["get", "input", "steps", "cancel", "retry"]) await refuses(method, no);
  }
  for (const wait of ["1", null, NaN, -1]) await refuses("cancel", id, wait);
  for (const key of [null, 5, "a\0b"]) await refuses("retry", id, key);
  for (const job of [undefined, null, 5, "", LONG, "a\0b", "a\nb"]) {
    for (const method of ["pause", "resume"]) await refuses(method, job);
  }
  for (const filter of [{ job: "a\0b" }, { job: LONG }, { owner: LONG }, { owner: "" }, { owner: "\ud800" }]) {
    await refuses("tasks", filter);
  }
  for (const name of [undefined, 5, "", LONG, "a\0b"]) {
    await refuses("pauseSchedule", name, true);
    await refuses("removeSchedule", name);
  }
  for (const paused of ["true", undefined]) await refuses("pauseSchedule", "nightly", paused);
  assertEquals([await operator.get(id), (await operator.counts()).length], [await backend.get(id, "ann"), 1]);
});

Deno.test("a wait may be without end, an unknown id is not found, and a key has at most 150 characters", async () => {
  await using backend = new MemoryBackend();
  const job = defineJob({ name: "job", input: { type: "object" }, run: () => 1 });
  await using _worker = createWorker(backend, [job]);
  const { operator } = backend;
  for (const id of ["", LONG, "\0", newTaskId()]) {
    await assertRejects(() => operator.cancel(id, Infinity), TaskNotFound);
  }
  await assertRejects(() => operator.retry(newTaskId(), "x".repeat(151)), InvalidInput);
  await assertRejects(() => operator.retry(newTaskId(), "x".repeat(150)), TaskNotFound);
});
