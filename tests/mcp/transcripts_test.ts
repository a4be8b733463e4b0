/**
 * Recorded conversations with every strategy, and of both revisions. After an intended change:
 * `deno test -A tests/mcp/transcripts_test.ts -- --update`
 *
 * @module
 */
import { z } from "zod";
import { AsyncToolServer, MemoryBackend, OperationResourceStrategy, PollingExposureStrategy } from "../../mod.ts";
import { PassingTime } from "../support/time.ts";
import { Pipe, startFixture } from "./support/pipe.ts";
import { runInPlace } from "./support/program.ts";
import { difference, replay } from "./support/transcript.ts";
import { TempFolder } from "../support/temp_folder.ts";

for (const strategy of ["operation", "polling", "adaptive", "single_tool", "blocking"] as const) {
  Deno.test(`the conversation with the ${strategy} strategy is as recorded`, async () => {
    await using _time = new PassingTime();
    await using pipe = new Pipe(strategy);
    await check(strategy, { pipe });
  });
}

for (const strategy of ["polling", "adaptive", "single_tool", "blocking"] as const) {
  Deno.test(`the conversation of a 2026-07-28 client with the ${strategy} strategy is as recorded`, async () => {
    await using _time = new PassingTime();
    await using pipe = new Pipe(strategy);
    await check(`${strategy}_2026_07_28`, { pipe });
  });
}

Deno.test("the conversation of a 2026-07-28 client about tasks is as recorded", async () => {
  await using _time = new PassingTime();
  await using pipe = new Pipe("operation");
  await check("extension", { pipe });
});

Deno.test("the conversation of a client of each revision about the same tasks is as recorded", async () => {
  await using folder = await TempFolder.make();
  await using legacy = new Pipe(startFixture("operation", `${folder.path}/jobs.kv`));
  await using modern = new Pipe(startFixture("operation", `${folder.path}/jobs.kv`, "contracts"));
  await check("both_eras", { legacy, modern });
});

/** Jobs that ask: one whose answer a model may pass on, and one that has a page opened. */
function asking(): AsyncToolServer {
  const server = new AsyncToolServer({ name: "shop", version: "1.0.0", backend: new MemoryBackend(), audit: () => {} });
  const confirm = { message: "Buy it?", schema: z.object({ sure: z.boolean() }) };
  server.asyncTool(
    { name: "buy", description: "Buys it", input: z.object({}), answers: "model" },
    (_, ctx) => ctx.elicit(confirm),
  );
  server.asyncTool(
    { name: "pay", description: "Has it paid for", input: z.object({}), whenNobodyCanAnswer: "wait" },
    (_, ctx) => ctx.elicit({ message: "Pay for it.", url: "https://shop.example.com/pay" }),
  );
  return server;
}

/** Jobs of other strategies whose answer a model may pass on. */
function answering(): AsyncToolServer {
  const server = new AsyncToolServer({ name: "shop", version: "1.0.0", backend: new MemoryBackend(), audit: () => {} });
  const confirm = { message: "Buy it?", schema: z.object({ sure: z.boolean() }) };
  const strategies = { polled: new PollingExposureStrategy(), called: new OperationResourceStrategy() };
  for (const [name, strategy] of Object.entries(strategies)) {
    server.asyncTool(
      { name, description: "Buys it", input: z.object({}), answers: "model", strategy },
      (_, ctx) => ctx.elicit(confirm),
    );
  }
  return server;
}

for (const name of ["answers", "answers_2026_07_28"]) {
  Deno.test(`the conversation of ${name} is as recorded`, async () => {
    await using _time = new PassingTime();
    await using pipe = new Pipe(runInPlace(answering()));
    await check(name, { pipe });
  });
}

for (const name of ["questions", "pages", "questions_2026_07_28"]) {
  Deno.test(`the conversation of ${name} is as recorded`, async () => {
    await using _time = new PassingTime();
    await using pipe = new Pipe(runInPlace(asking()));
    await check(name, { pipe });
  });
}

async function check(name: string, pipes: Readonly<Record<string, Pipe>>): Promise<void> {
  const file = new URL(`./transcripts/${name}.txt`, import.meta.url);
  const recorded = await Deno.readTextFile(file);
  const now = await replay(recorded, pipes);
  if (Deno.args.includes("--update")) return await Deno.writeTextFile(file, now);
  const changed = difference(recorded, now);
  if (changed !== undefined) {
    throw new Error(`${changed}\nIf this is wanted: deno test -A tests/mcp/transcripts_test.ts -- --update`);
  }
}
