import { createWorker, MemoryBackend } from "../../../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { byName } from "../support/by_name.ts";
import { Events, Raw } from "../support/raw.ts";
import { pause } from "../../../../src/waiting.ts";
import { PassingTime } from "../../../support/time.ts";

/** Two servers on one backend, with a worker, and a client in a session on the first. Time passes by itself. */
async function twoServers() {
  await using stack = new AsyncDisposableStack();
  stack.use(new PassingTime());
  stack.defer(() => pause(0)); // A request that is resumed elsewhere ends in a turn of its own.
  const backend = stack.use(new MemoryBackend());
  const [first, second] = [1, 2].map(() => {
    // The server that is closed first closes the backend.
    return stack.use(fixtureServer("operation", backend, { authenticate: byName, onError: () => {} }));
  });
  if (first === undefined || second === undefined) throw new Error("There are no servers.");
  stack.use(createWorker(backend, first.registry.list().map(({ job }) => job)));
  const raw = await Raw.open(first.fetch, "ann");
  const there = new Raw(second.fetch, "ann");
  there.session = raw.session;
  const kept = stack.move();
  return { backend, raw, there, second, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Reads a stream until its server has said how to replace its request: in the event after the first. Breaks the stream. */
async function replacedBy(response: Response): Promise<string> {
  const events = new Events(response);
  await events.next();
  const told = await events.next();
  assertEquals(told?.message, undefined);
  await events[Symbol.asyncDispose]();
  return told?.id ?? "";
}

/** Resolves when a process has taken what another one has forwarded: then its document is there, and deleted again. */
function takenMessage({ documents }: MemoryBackend): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let changes = 0;
  const stop = documents.watch((name) => {
    if (!name?.startsWith("forwarded:") || ++changes < 2) return;
    stop();
    resolve();
  });
  return promise;
}

Deno.test("a stream that is resumed on another server gets the result of its call there, and its progress", async () => {
  await using servers = await twoServers();
  const { raw, there } = servers;
  const call = { name: "steps", arguments: { gate: "go", steps: 2 }, _meta: { progressToken: "p" } };
  const last = await replacedBy(await raw.post("tools/call", call));
  await using resumed = await there.listen(last);
  assertEquals((await resumed.next())?.message, undefined); // Its id is for the next server.
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  const messages = [await resumed.message()];
  while (messages.at(-1)?.method !== undefined) messages.push(await resumed.message());
  assertEquals(messages[0]?.params.progressToken, "p");
  assertEquals(messages.at(-1)?.result.structuredContent, { taken: 2 });
  assertEquals(await resumed.next(), undefined);
});

Deno.test("a call that is resumed on another server is over on the first one: the same call again starts a task", async () => {
  await using servers = await twoServers();
  const { backend, raw, there } = servers;
  const call = { name: "steps", arguments: { gate: "go", steps: 2 } };
  const last = await replacedBy(await raw.post("tools/call", call));
  const taken = takenMessage(backend);
  await using resumed = await there.listen(last);
  await taken;
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  assertEquals((await resumed.message()).result.structuredContent, { taken: 2 });
  for (const [index, next] of [there, raw].entries()) {
    assertEquals((await next.ask("tools/call", call)).result.structuredContent, { taken: 2 });
    assertEquals((await backend.list("ann", { limit: 10 })).tasks.length, 2 + index);
  }
});

Deno.test("a call that was resumed on another server can be resumed on the first one again", async () => {
  await using servers = await twoServers();
  const { raw, there } = servers;
  const last = await replacedBy(await raw.post("tools/call", { name: "steps", arguments: { gate: "go", steps: 2 } }));
  const again = await replacedBy(await there.send({ method: "GET", headers: { "last-event-id": last } }));
  await using resumed = await raw.listen(again);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  assertEquals((await resumed.message()).result.structuredContent, { taken: 2 });
});

Deno.test("a resumption that is refused does not take the call over, and the next one gets the result", async () => {
  await using servers = await twoServers();
  const { backend, raw, there } = servers;
  const last = await replacedBy(await raw.post("tools/call", { name: "steps", arguments: { gate: "go", steps: 2 } }));
  const forwarded: string[] = [];
  const stop = backend.documents.watch((name) => void (name?.startsWith("forwarded:") && forwarded.push(name)));
  const headers = { "last-event-id": last, accept: "application/json" };
  assertEquals((await there.send({ method: "GET", headers })).status, 406);
  assertEquals((await there.ask("tools/list")).error, undefined); // A message to the first server would be sent by then.
  assertEquals(forwarded, []);
  stop();
  await using resumed = await there.listen(last);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  assertEquals((await resumed.message()).result.structuredContent, { taken: 2 });
});

Deno.test("tasks/result that is resumed on another server waits there", async () => {
  await using servers = await twoServers();
  const { raw, there } = servers;
  const taskId = await raw.start("steps", { gate: "go", steps: 1 });
  const last = await replacedBy(await raw.post("tasks/result", { taskId }));
  await using resumed = await there.listen(last);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  assertEquals((await resumed.message()).result.structuredContent, { taken: 1 });
});

Deno.test("a response that is stored is replayed, and not asked for again", async () => {
  await using servers = await twoServers();
  const { backend, raw, there } = servers;
  const call = { name: "steps", arguments: { gate: "go", steps: 1 } };
  const stored = Promise.withResolvers<void>();
  const { append } = backend.streams;
  const last = await replacedBy(await raw.post("tools/call", call));
  backend.streams.append = async (stream, event, ttl) => {
    await append.call(backend.streams, stream, event, ttl);
    if (event.text.includes('"taken":1')) stored.resolve();
  };
  // A response within a second would not be stored.
  await pause(1_000);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  await stored.promise;
  backend.get = () => Promise.reject(new Error("The call was processed again."));
  await using resumed = await there.listen(last);
  assertEquals((await resumed.message()).result.structuredContent, { taken: 1 });
});

Deno.test("another principal does not get the result with the id of an event", async () => {
  await using servers = await twoServers();
  const { raw, second } = servers;
  const last = await replacedBy(await raw.post("tools/call", { name: "steps", arguments: { gate: "go", steps: 1 } }));
  const stranger = await Raw.open(second.fetch, "bob");
  await using resumed = await stranger.listen(last);
  assertStringIncludes((await resumed.message()).error.message, "the id is unknown");
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
});

Deno.test("a client that resumes a lost request again after its answer is told that nothing more comes", async () => {
  await using servers = await twoServers();
  const { raw, there } = servers;
  const broken = new Events(await raw.post("tools/call", { name: "steps", arguments: { gate: "go", steps: 1 } }));
  const first = await broken.next();
  await broken[Symbol.asyncDispose]();
  await using resumed = await there.listen(first?.id);
  const answer = await resumed.next();
  assertStringIncludes(answer?.message?.error.message, "Send it again.");
  assertEquals((await there.send({ method: "GET", headers: { "last-event-id": answer?.id ?? "" } })).status, 405);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
});

Deno.test("a client of an older revision is sent no event without a message", async () => {
  await using _time = new PassingTime();
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch, undefined, {}, "2025-06-18");
  await using call = new Events(
    await raw.post("tools/call", {
      name: "steps",
      arguments: { gate: "go", end: "end", steps: 1 },
      _meta: { progressToken: "p" },
    }),
  );
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  await pause(300); // By then the event would have come.
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "end" } });
  let event = await call.next();
  for (; event?.message?.method !== undefined; event = await call.next());
  assertEquals(event?.message?.result.structuredContent, { taken: 1 });
});
