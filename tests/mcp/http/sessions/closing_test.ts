import { BackendError, createWorker, DenoKvBackend, MemoryBackend } from "../../../../mod.ts";
import { newestProgress } from "../../../../src/mcp/http/streams/newest_progress.ts";
import { OpenStreams } from "../../../../src/mcp/http/streams/open_streams.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { Events, Raw } from "../support/raw.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

const HEALTH = "http://10.0.0.7:8000/healthz";

Deno.test("/healthz is 200 while the backend accepts tasks, for every caller, and otherwise 503", async () => {
  for (const works of [true, false]) {
    const backend = new MemoryBackend();
    const server = fixtureServer("operation", backend, { authenticate: () => new Response(null, { status: 401 }) });
    if (!works) backend.check = () => Promise.reject(new BackendError("The disk of secret-host is full."));
    const { status, headers, ...answer } = await server.fetch(new Request(HEALTH)).then(async (response) => ({
      status: response.status,
      headers: response.headers,
      body: await response.json(),
    }));
    const error = "The backend takes no tasks.";
    assertEquals([status, answer.body], works ? [200, { status: "ok" }] : [503, { status: "unavailable", error }]);
    assertEquals(headers.has("retry-after"), !works);
    await server.close();
  }
});

Deno.test("a server that ends answers waiting calls, ends the streams, and accepts nothing new; the work goes on", async () => {
  await using folder = await TempFolder.make();
  const backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  const server = fixtureServer("operation", backend);
  const worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  const listening = await raw.listen();
  const id = await raw.start("hold", { gate: "never" });
  await using waiting = new Events(await raw.post("tasks/result", { taskId: id }));
  await waiting.next(); // The result is waited for.
  const calling = raw.ask("tools/call", { name: "hold", arguments: { gate: "nor this" } });
  await raw.ask("tools/call", { name: "await_gate", arguments: { gate: "nor this:started" } });
  const close = backend.close.bind(backend);
  backend.close = () => Promise.resolve();
  const closed = server.close();
  const { content: [said], isError } = (await calling).result;
  assertEquals([said.text, isError], ["The server is shutting down. The task goes on: repeat this call later.", true]);
  // Their clients resume these streams elsewhere.
  for (const stream of [waiting, listening]) {
    for (let event = await stream.next(); event; event = await stream.next()) {
      assertEquals([event.message?.result, event.message?.error], [undefined, undefined]);
    }
  }
  await closed;
  assertEquals((await raw.post("tools/list")).status, 503);
  assertEquals((await server.fetch(new Request(HEALTH))).status, 503);
  assertEquals((await backend.get(id, "anonymous")).status, "RUNNING");
  await worker.close(0);
  await close();
});

Deno.test("a server that ends tells the callers that wait for tasks in memory that these end with it", async () => {
  const server = fixtureServer("adaptive", new MemoryBackend());
  const raw = await Raw.open(server.fetch);
  const id = await raw.start("hold", { gate: "never" });
  const result = new Events(await raw.post("tasks/result", { taskId: id }));
  const call = new Events(await raw.post("tools/call", { name: "hold", arguments: { gate: "nor this" } }));
  await Promise.all([result.next(), call.next()]);
  const closed = server.close();
  const why = "The server is shutting down. The task was in memory, and ends with it.";
  const { error } = await result.message();
  assertEquals([error.code, error.message], [-32603, why]);
  const { content: [said], isError } = (await call.message()).result;
  assertEquals([said.text, isError], [why, true]);
  await closed;
});

Deno.test("a request gets 503 if the server ends while the request or its session is being read", async () => {
  const backend = new MemoryBackend();
  const server = fixtureServer("operation", backend);
  const { promise: read, resolve: goOn } = Promise.withResolvers<void>();
  const { readAfter } = backend.streams;
  const reading = Promise.withResolvers<void>();
  backend.streams.readAfter = async (stream, id) => {
    reading.resolve();
    await read;
    return await readAfter.call(backend.streams, stream, id);
  };
  const moved = await Raw.open(server.fetch);
  const other = fixtureServer("operation", backend);
  const same = new Raw(other.fetch);
  same.session = moved.session;
  const listening = same.send({ method: "GET" });
  await reading.promise;
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  const half = new ReadableStream<Uint8Array>({ start: (controller) => void (body = controller) });
  const sending = new Raw(other.fetch).send({ method: "POST", body: half });
  await other.close();
  goOn();
  const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
  const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: initialize });
  body?.enqueue(new TextEncoder().encode(message));
  body?.close();
  assertEquals([(await sending).status, (await listening).status], [503, 503]);
  await server.close();
});

Deno.test("a request gets 503 if the server ends while its session is being restored: another server has the session", async () => {
  const backend = new MemoryBackend();
  const server = fixtureServer("operation", backend);
  const moved = await Raw.open(server.fetch);
  const saving = Promise.withResolvers<void>();
  const { promise: saved, resolve: goOn } = Promise.withResolvers<void>();
  const { append } = backend.streams;
  backend.streams.append = async (...args) => {
    saving.resolve();
    await saved;
    await append.apply(backend.streams, args);
  };
  const other = fixtureServer("operation", backend);
  const same = new Raw(other.fetch);
  same.session = moved.session;
  const asking = same.post("tools/list");
  await saving.promise;
  await other.close();
  goOn();
  assertEquals((await asking).status, 503);
  await server.close();
});

Deno.test("a response counts as open until its last byte is sent, or its client is gone", async () => {
  const all = new OpenStreams();
  const open = new OpenStreams(all);
  const headers = { "content-type": "text/event-stream" };
  const track = (response: Response) => open.track((sent) => Promise.resolve(newestProgress(response, sent)));
  const plain = await track(Response.json({}));
  assertEquals([open.size, await plain.json()], [0, {}]);
  let send: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = () => new ReadableStream<Uint8Array>({ start: (controller) => void (send = controller) });
  const answered = await track(new Response(stream(), { headers }));
  assertEquals([open.size, all.size], [1, 1]);
  const drained = all.drained(60_000);
  send?.close();
  await answered.text();
  await drained;
  assertEquals([open.size, all.size], [0, 0]);
  const unwanted = await track(new Response(stream(), { headers }));
  await unwanted.body?.cancel();
  assertEquals(open.size, 0);
  await open.track(() => Promise.reject(new Error("no answer"))).catch(() => {});
  assertEquals([open.size, all.size], [0, 0]);
});
