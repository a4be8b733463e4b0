import { newestProgress } from "../../../../src/mcp/http/streams/newest_progress.ts";
import { pause } from "../../../../src/waiting.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";

const CHUNK = new TextEncoder().encode(": keepalive\n\n");

/** A stream of the SDK, and the end that its client reads. */
function stage() {
  let now = 0;
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const gone = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    cancel: () => gone.resolve(),
  });
  const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  const passed = newestProgress(response, () => {}, () => now).body;
  if (passed === null) throw new Error("There is no stream.");
  return {
    reader: passed.getReader(),
    gone: gone.promise,
    wait: (ms: number) => void (now += ms),
    end: () => source?.close(),
    /** Sends some chunks, and resolves once they are forwarded. */
    async send(count: number): Promise<void> {
      for (let i = 0; i < count; i++) source?.enqueue(CHUNK);
      await pause(0);
    },
  };
}

Deno.test("a client that is far behind and has read nothing for a minute is cut off, and its stream is closed", async () => {
  const { reader, gone, wait, send } = stage();
  await send(300);
  wait(60_000);
  await send(1);
  await gone;
  await assertRejects(() => reader.read(), Error, "has read none for a minute");
});

Deno.test("a client that reads slowly, or has little to read, is not cut off", async () => {
  const slow = stage();
  await slow.send(1_000);
  const idle = stage();
  for (let minute = 0; minute < 100; minute++) {
    await slow.reader.read();
    for (const { wait, send } of [slow, idle]) {
      wait(60_000);
      await send(1);
    }
  }
  for (const [{ reader, end }, left] of [[slow, 1_000], [idle, 100]] as const) {
    end();
    let count = 0;
    while (!(await reader.read()).done) count++;
    assertEquals(count, left);
  }
});

Deno.test("the source learns that its client is gone, and anything but an event stream is passed on unchanged", async () => {
  const { reader, gone } = stage();
  await reader.cancel();
  await gone;
  const json = Response.json({});
  assertEquals(newestProgress(json), json);
});
