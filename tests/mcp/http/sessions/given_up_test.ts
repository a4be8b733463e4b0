import { AsyncToolServer, createWorker, MemoryBackend } from "../../../../mod.ts";
import { pause } from "../../../../src/waiting.ts";
import { assertEquals, assertMatch } from "../../../../tools/std.ts";
import { PassingTime } from "../../../support/time.ts";
import { Events, Raw } from "../support/raw.ts";

Deno.test("a client of 2025-11-25 that gives up without a word, and keeps the stream of its call open, gets the handle of its task when it calls again", async () => {
  await using _time = new PassingTime();
  await using backend = new MemoryBackend();
  await using server = new AsyncToolServer({ name: "patient", version: "1.0.0", backend, onError() {} });
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  server.asyncTool({ name: "hold", input: { type: "object" } }, async () => {
    runs++;
    await gate.promise;
    return { held: true };
  });
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  await using first = new Events(await raw.post("tools/call", { name: "hold", arguments: {} }));
  await pause(6_000);
  const since = Date.now();
  const { result } = await raw.ask("tools/call", { name: "hold", arguments: {} });
  assertEquals(Date.now() - since, 4_250);
  assertMatch(`${result.structuredContent?.next}`, /^Call task_status with this token and wait_seconds 4;/);
  assertEquals(runs, 1);
  // Another client of the same owner has a task of its own.
  const other = await Raw.open(server.fetch);
  await using second = new Events(await other.post("tools/call", { name: "hold", arguments: {} }));
  await pause(5_000);
  gate.resolve();
  assertEquals(runs, 2);
  for (const call of [first, second]) assertEquals((await call.message()).result.structuredContent, { held: true });
  await pause(1_000); // Until it is written that no call waits any more.
});
