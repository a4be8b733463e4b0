import { Replay } from "../../src/steps/replay.ts";
import { assertEquals, FakeTime } from "../../tools/std.ts";
import { createClient, createWorker, defineJob, type JobContext, MemoryBackend } from "../../mod.ts";
import { openQuestions } from "../../src/task.ts";

/** A run, and all that it has told. */
function runThat(repeats: boolean): { readonly replay: Replay; readonly told: readonly unknown[] } {
  const told: unknown[] = [];
  const tell = (what: unknown) => Promise.resolve(void told.push(what));
  return { replay: new Replay({ report: tell, log: tell }, repeats), told };
}

const line = (text: string) => ({ at: 0, level: "info", text }) as const;

Deno.test("what comes before something recorded is not told again, and the newest report is told with what is new", async () => {
  const { replay, told } = runThat(true);
  await replay.report({ progress: 0.25, message: "collecting" });
  await replay.log(line("collected"));
  replay.reach();
  await replay.report({ progress: 0.5 });
  await replay.log(line("published"));
  assertEquals(told, []);
  replay.end();
  assertEquals(told, [{ progress: 0.5, message: "collecting" }, line("published")]);
  await replay.log(line("new"));
  replay.reach(); // By a part that runs beside it.
  await replay.report({ progress: 0.75 });
  assertEquals(told.slice(2), [line("new"), { progress: 0.75 }]);
});

Deno.test("what a run tells for a second without reaching anything recorded is told, until it reaches that", async () => {
  using time = new FakeTime();
  const { replay, told } = runThat(true);
  await replay.log(line("connecting"));
  time.tick(999);
  assertEquals(told, []);
  time.tick(1);
  await replay.log(line("trying again"));
  assertEquals(told, [line("connecting"), line("trying again")]);
  replay.reach();
  await replay.log(line("connected"));
  assertEquals(told.length, 2);
  replay.end();
  assertEquals(told.at(-1), line("connected"));
});

Deno.test("a run with nothing to repeat tells all at once, and one with more lines than are kept holds none", async () => {
  const first = runThat(false);
  await first.replay.report({ progress: 0.5 });
  first.replay.reach();
  await first.replay.log(line("begun"));
  assertEquals(first.told, [{ progress: 0.5 }, line("begun")]);
  const burst = runThat(true);
  for (let count = 0; count < 199; count++) await burst.replay.log(line("one of many"));
  assertEquals(burst.told.length, 0);
  await burst.replay.log(line("one of many"));
  assertEquals(burst.told.length, 200);
});

/** Runs a job of up to three attempts to its end, declines what it asks once it is parked, and resolves with its log. */
async function logOf(run: (ctx: JobContext) => Promise<unknown>): Promise<readonly string[]> {
  await using backend = new MemoryBackend();
  const input = { type: "object" } as const;
  const job = defineJob({ name: "tells", input, backoff: { delay: 1 }, parkAfter: 0, run: (_, ctx) => run(ctx) });
  await using _worker = createWorker(backend, [job], { onError: () => {} });
  const client = createClient(backend, { owner: "me" });
  using _watch = {
    [Symbol.dispose]: backend.watch((event) => {
      if (event.kind === "gap" || !("parked" in event.task)) return;
      for (const { key } of openQuestions(event.task)) {
        void backend.answer(event.task.id, "me", { [key]: { action: "decline" } });
      }
    }),
  };
  const { id } = await client.start(job, {});
  await client.wait(id).catch(() => {}); // It may fail.
  return (await backend.log(id, "me")).map(({ text }) => text);
}

const QUESTION = { message: "Which?", schema: { type: "object" } } as const;

Deno.test("a later attempt tells what it does even if it never comes to what an earlier one has recorded", async () => {
  const lines = await logOf(async ({ attempt, log, step }) => {
    try {
      await log(`works, ${attempt}`);
      if (attempt === 1) throw new Error("not today");
    } catch (error) {
      await step("remove the folder", () => {});
      throw error;
    }
  });
  assertEquals(lines, ["works, 1", "works, 2"]);
});

Deno.test("an attempt that fails between two recorded steps tells why", async () => {
  const lines = await logOf(async ({ attempt, log, step }) => {
    await step("first", () => {});
    if (attempt > 1) {
      await log("error", `cannot connect, ${attempt}`);
      throw new Error("cannot connect");
    }
    await step("second", () => {});
    throw new Error("not today");
  });
  assertEquals(lines, ["cannot connect, 2", "cannot connect, 3"]);
});

Deno.test("a run that no longer asks what was answered tells all", async () => {
  let runs = 0;
  const lines = await logOf(async ({ elicit, log }) => {
    await log(`run ${++runs}`);
    if (runs === 1) await elicit(QUESTION);
    await log("does it");
  });
  assertEquals(lines, ["run 1", "run 2", "does it"]);
});

Deno.test("what follows a step that has asked is told by a later attempt, which does not ask again", async () => {
  const lines = await logOf(async ({ attempt, elicit, log, step }) => {
    await log("begins");
    await step("ask", () => elicit({ ...QUESTION, expiresIn: 1 }));
    await log(`attempt ${attempt}`);
    if (attempt === 1) throw new Error("not today");
  });
  assertEquals(lines, ["begins", "attempt 1", "attempt 2"]);
});
