import { createWorker, MemoryBackend } from "../../../mod.ts";
import { assertEquals } from "../../../tools/std.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { Events, type Message, Raw } from "./support/raw.ts";
import { turn } from "../../../src/waiting.ts";

/** Every message on a stream until it ends. */
async function rest(events: Events): Promise<Message[]> {
  const messages: Message[] = [];
  for (let event = await events.next(); event; event = await events.next()) {
    if (event.message) messages.push(event.message);
  }
  return messages;
}

/** The response to a client that resumes a stream, without its body. */
async function resume(raw: Raw, lastEventId: string): Promise<number> {
  const response = await raw.send({ method: "GET", headers: { "last-event-id": lastEventId } });
  await response.body?.cancel();
  return response.status;
}

Deno.test("the stream of a cancelled call ends without a response, and a client that resumes it is told so at once", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  await using call = new Events(await raw.post("tools/call", { name: "hold", arguments: { gate: "never" } }));
  const { id } = raw;
  const begun = await call.next();
  const started = await raw.ask("tools/call", { name: "await_gate", arguments: { gate: "never:started" } });
  await raw.cancel(id);
  assertEquals(await rest(call), []);
  // A 405 tells the official clients that there is no stream: after an empty one they would resume again and again.
  assertEquals(await resume(raw, begun?.id ?? ""), 405);
  const [{ text: taskId }] = started.result.content;
  assertEquals((await raw.ask("tasks/result", { taskId })).error.message.includes("cancelled"), true);
});

Deno.test("a cancelled tasks/result ends nothing else: the task goes on, and so do the other streams of the session", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  await using listening = await raw.listen();
  const taskId = await raw.start("hold", { gate: "later" });
  await using first = new Events(await raw.post("tasks/result", { taskId }));
  const { id } = raw;
  await using second = new Events(await raw.post("tasks/result", { taskId }));
  await raw.cancel(id);
  assertEquals(await rest(first), []);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "later" } });
  assertEquals((await second.message()).result.structuredContent, { said: "opened" });
  while ((await listening.message()).params.status !== "completed");
});

Deno.test("the cancellation of a request that has ended, or never existed, changes nothing", async () => {
  await using server = fixtureServer("operation");
  const raw = await Raw.open(server.fetch);
  await using listening = await raw.listen();
  await using call = new Events(await raw.post("tools/call", { name: "ping", arguments: {} }));
  const { id } = raw;
  const begun = await call.next();
  await call.message();
  for (const requestId of [id, 77, 1]) await raw.cancel(requestId);
  assertEquals(await resume(raw, begun?.id ?? ""), 200);
  const taskId = await raw.start("contract");
  await raw.ask("tasks/cancel", { taskId });
  assertEquals((await listening.message()).params.taskId, taskId);
});

Deno.test("a cancellation that waits with its call until their session is restored does not overtake the call", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using other = fixtureServer("operation", backend);
  const cancelled = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "CANCELLED" && cancelled.resolve());
  const raw = new Raw(other.fetch);
  raw.session = (await Raw.open(server.fetch)).session;
  const { readAfter } = backend.streams;
  const [restoring, restored] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  backend.streams.readAfter = async (...args) => {
    restoring.resolve();
    await restored.promise;
    return await readAfter.apply(backend.streams, args);
  };
  const call = raw.post("tools/call", { name: "contract", arguments: {} });
  await restoring.promise;
  const cancelling = raw.cancel(raw.id);
  for (let turns = 0; turns < 50; turns++) await turn(); // It waits now, too.
  restored.resolve();
  await cancelling;
  await using events = new Events(await call);
  assertEquals(await rest(events), []);
  await cancelled.promise;
});

Deno.test("a call with the idempotency key of an earlier one gets its task, and is refused with another input or a bad key", async () => {
  await using server = fixtureServer("polling");
  const raw = await Raw.open(server.fetch);
  const start = async (gate: string, key: unknown) => {
    const _meta = { "mcp-jobs/idempotencyKey": key };
    return (await raw.ask("tools/call", { name: "hold_start", arguments: { gate }, _meta })).result;
  };
  const first = await start("a", "one");
  assertEquals((await start("a", "one")).structuredContent.token, first.structuredContent.token);
  const other = await start("b", "one");
  assertEquals([other.isError, other.content[0].text], [
    true,
    "Invalid idempotency key: it was used before with another input; repeat that input, or use another key",
  ]);
  const bad = await start("a", 7);
  assertEquals([bad.isError, bad.content[0].text.includes("must be a text")], [true, true]);
});
