import { createClient, createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { openQuestions } from "../../src/task.ts";
import { recordOf, Scope, StepLog } from "../../src/steps/log.ts";
import { Replay } from "../../src/steps/replay.ts";
import { assertEquals } from "../../tools/std.ts";

/** A replay up to these, and all that it has told. */
function replayUpTo(...last: readonly string[]): { readonly replay: Replay; readonly told: readonly unknown[] } {
  const told: unknown[] = [];
  const tell = (what: unknown) => Promise.resolve(void told.push(what));
  return { replay: new Replay({ report: tell, log: tell }, last), told };
}

const line = (text: string) => ({ at: 0, level: "info", text }) as const;

Deno.test("a run tells nothing before it has reached the last step and the last answer, and then what it would show", async () => {
  const { replay, told } = replayUpTo("publish", "question-1");
  await replay.report({ progress: 0.25, message: "collecting" });
  await replay.log(line("collected"));
  replay.reach("collect");
  replay.reach("publish");
  await replay.report({ progress: 0.5 });
  await replay.log(line("published"));
  assertEquals(told, []);
  replay.reach("question-1");
  assertEquals(told, [{ progress: 0.5, message: "collecting" }]);
  await replay.log(line("answered"));
  await replay.report({ message: "answered" });
  replay.reach("question-1");
  assertEquals(told.slice(1), [line("answered"), { message: "answered" }]);
});

Deno.test("a run that comes to something new tells all from there on", async () => {
  const { replay, told } = replayUpTo("publish");
  replay.end();
  await replay.log(line("new"));
  replay.reach("publish");
  assertEquals(told, [line("new")]);
});

Deno.test("a run with nothing to repeat tells all at once", async () => {
  const { replay, told } = replayUpTo();
  await replay.report({ progress: 0.5 });
  await replay.log(line("begun"));
  assertEquals(told, [{ progress: 0.5 }, line("begun")]);
});

Deno.test("the last step that a later run calls is not inside a recorded one", () => {
  const lastOf = (...names: readonly string[]) => {
    return new StepLog(
      names.map((name, index) => recordOf({ scope: new Scope(), name, place: index }, "1", index, 0)),
    ).last;
  };
  assertEquals(lastOf(), undefined);
  assertEquals(lastOf("a", "b"), "b");
  assertEquals(lastOf("a", "b", "b##c", "b##c##d"), "b");
  assertEquals(lastOf("a", "b##c", "b##c##d"), "b##c");
});

Deno.test("a later run does not wait for the answer to a question that a recorded step has asked", async () => {
  await using backend = new MemoryBackend();
  const input = { type: "object" } as const;
  const job = defineJob({
    name: "asks",
    input,
    backoff: { delay: 1 },
    run: async (_, { step, elicit, log, attempt }) => {
      await step("ask", () => elicit({ message: "Which?", schema: input }));
      await log(`attempt ${attempt}`);
      if (attempt === 1) throw new Error("not today");
    },
  });
  await using _worker = createWorker(backend, [job], { onError: () => {} });
  const client = createClient(backend, { owner: "me" });
  const watched = Promise.withResolvers<Parameters<typeof openQuestions>[0]>();
  const unwatch = backend.watch((event) => {
    if (event.kind === "change" && openQuestions(event.task).length > 0) watched.resolve(event.task);
  });
  const { id } = await client.start(job, {});
  const [question] = openQuestions(await watched.promise);
  await backend.answer(id, "me", { [question?.key ?? ""]: { action: "decline" } });
  await client.wait(id);
  unwatch();
  assertEquals((await backend.log(id, "me")).map(({ text }) => text), ["attempt 1", "attempt 2"]);
});
