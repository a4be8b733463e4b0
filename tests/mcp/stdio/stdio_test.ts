/**
 * Stdin that ends at once: what was read before is answered, and then nothing keeps the process alive.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { LineTransport } from "../../../src/mcp/stdio/stdio.ts";
import { pause } from "../../../src/waiting.ts";
import { assertEquals } from "../../../tools/std.ts";
import { Pipe } from "../support/pipe.ts";

const MAX_BYTES = 1_000_000;

const ping = (id: number) => ({ jsonrpc: "2.0", id, method: "ping" }) as const;
const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } } as const;

interface Piped {
  readonly transport: LineTransport;
  /** Resolves with all that was written, once the transport is closed. */
  readonly written: Promise<string>;
}

/** A transport whose input is a stream, or only a text. */
function piped(input: string | ReadableStream<Uint8Array<ArrayBuffer>>): Piped {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const output = new WritableStream<Uint8Array<ArrayBuffer>>({ write: (chunk) => void chunks.push(chunk) });
  const bytes = typeof input === "string" ? new Blob([input]).stream() : input;
  const transport = new LineTransport(bytes, output, MAX_BYTES);
  const { promise, resolve } = Promise.withResolvers<string>();
  transport.onclose = () => resolve(new Blob(chunks).text());
  return { transport, written: promise };
}

function lines(...messages: readonly JSONRPCMessage[]): string {
  return messages.map((message) => `${JSON.stringify(message)}\n`).join("");
}

Deno.test("requests are answered before the server ends, even if the input ends right after them", async () => {
  await using pipe = new Pipe("operation");
  const clientInfo = { name: "printf", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  await pipe.send({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  await pipe.send({ jsonrpc: "2.0", id: 2, method: "tools/list" });
  const { code, stderr } = await pipe.end();
  assertEquals([code, stderr], [0, ""]);
  assertEquals(pipe.messages.map(({ id, error }) => [id, error]), [[1, undefined], [2, undefined]]);
});

const two = lines(ping(1), ping(2));
for (const [what, text] of [["", two], [", also to a last line without its end", two.trimEnd()]] as const) {
  Deno.test(`an answer that comes after the input has ended is written${what}`, async () => {
    const { transport, written } = piped(text);
    transport.onmessage = async (message) => {
      await pause(0); // The input ends first.
      if ("id" in message && message.id !== undefined) {
        await transport.send({ jsonrpc: "2.0", id: message.id, result: {} });
      }
    };
    await transport.start();
    const answers = (await written).trim().split("\n").map((line) => JSON.parse(line).id);
    assertEquals(answers, [1, 2]);
  });
}

Deno.test("input that ends in the middle of a message is answered with a parse error", async () => {
  const { transport, written } = piped('{"jsonrpc":');
  await transport.start();
  assertEquals(JSON.parse(await written).error.code, -32700);
});

Deno.test("a closing transport does not wait for a cancelled request, and for an unanswered one only a while", async () => {
  const ended: string[] = [];
  const waiting = piped(lines(ping(1)));
  const idle = piped(lines(ping(1), cancelled));
  await waiting.transport.start();
  await idle.transport.start();
  await Promise.all([
    waiting.written.then(() => ended.push("unanswered")),
    idle.written.then(() => ended.push("cancelled")),
  ]);
  assertEquals(ended, ["cancelled", "unanswered"]);
});

Deno.test("closing a transport waits for no answer", async () => {
  const { transport, written } = piped(lines(ping(1)));
  await transport.start();
  await pause(0); // The input ends first.
  await transport.close();
  assertEquals(await written, "");
});

Deno.test("a transport that is closed in the middle of a message does not answer it", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const { transport, written } = piped(readable);
  await transport.start();
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode('{"jsonrpc":'));
  await pause(0); // The input ends first.
  await transport.close();
  await pause(0); // The input ends first.
  assertEquals(await written, "");
});
