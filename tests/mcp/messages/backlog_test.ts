import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { Backlog, progressTokenOf } from "../../../src/mcp/messages/backlog.ts";
import { LineTransport } from "../../../src/mcp/stdio/stdio.ts";
import { newestProgress } from "../../../src/mcp/http/streams/newest_progress.ts";
import { pause } from "../../../src/waiting.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";

const progress = (progressToken: string | number, value: number): JSONRPCMessage => ({
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken, progress: value },
});

const changed: JSONRPCMessage = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
const result: JSONRPCMessage = { jsonrpc: "2.0", id: 1, result: { content: [] } };

/** A message in short. */
function summaryOf(message: JSONRPCMessage): string {
  if (!("method" in message)) return "result";
  return message.params?.progressToken === undefined
    ? "changed"
    : `${message.params.progressToken}:${message.params.progress}`;
}

/** Much progress of two calls, with other messages in between, and the result of one. */
const MUCH: readonly JSONRPCMessage[] = [
  ...Array.from({ length: 10_000 }, (_, value) => [
    ...value === 5_000 ? [changed] : [],
    progress("a", value),
    progress(7, value),
  ]).flat(),
  result,
];

function checkMessages(messages: readonly string[]): void {
  assertEquals([messages.filter((message) => message === "changed").length, messages.at(-1)], [1, "result"]);
  assertEquals(messages.slice(-3, -1).toSorted(), ["7:9999", "a:9999"]);
  assert(messages.length < 300, `${messages.length} messages were kept`);
  for (const token of ["a", "7"]) {
    const values = messages.flatMap((message) =>
      message.startsWith(`${token}:`) ? [Number(message.split(":")[1])] : []
    );
    assertEquals(values, values.toSorted((a, b) => a - b));
  }
}

Deno.test("of waiting progress only the newest of each token is kept, in order with all other messages", () => {
  const backlog = new Backlog<JSONRPCMessage>();
  let left = 0;
  for (const message of MUCH) left += backlog.push(message, progressTokenOf(message)).length;
  const messages: string[] = [];
  for (let next = backlog.shift(); next; next = backlog.shift()) messages.push(summaryOf(next));
  checkMessages(messages);
  assertEquals(left + messages.length, MUCH.length);
});

Deno.test("messages that are not progress are never dropped, and neither is a little progress", () => {
  const backlog = new Backlog<number>();
  for (let item = 0; item < 10_000; item++) assertEquals(backlog.push(item), []);
  const little = new Backlog<number>();
  for (let item = 0; item < 64; item++) assertEquals(little.push(item, "token"), []);
  assertEquals([backlog.shift(), backlog.shift(), little.shift()], [0, 1, 0]);
});

Deno.test("over stdio a client that does not read gets the newest progress when it reads on, and every send is settled", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const input = new ReadableStream<Uint8Array<ArrayBuffer>>();
  const transport = new LineTransport(input, writable, 1_000);
  const sent = MUCH.map((message) => transport.send(message));
  const messages: string[] = [];
  const lines = readable.pipeThrough(new TextDecoderStream());
  for await (const line of lines) {
    messages.push(summaryOf(JSON.parse(line)));
    if (messages.at(-1) === "result") break;
  }
  checkMessages(messages);
  await Promise.all(sent);
});

/** An event stream of the SDK with all these messages written at once. */
function eventsOf(messages: readonly JSONRPCMessage[], end: (controller: ReadableStreamDefaultController) => void) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const [id, message] of messages.entries()) {
        const event = `event: message\nid: ${id}\ndata: ${JSON.stringify(message)}\n\n`;
        controller.enqueue(new TextEncoder().encode(event));
      }
      end(controller);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

Deno.test("over HTTP a client that does not read gets the newest progress when it reads on", async () => {
  const response = newestProgress(eventsOf(MUCH, (controller) => controller.close()));
  await pause(0); // The server has written all before anything is read.
  const events = (await response.text()).trimEnd().split("\n\n");
  checkMessages(events.map((event) => summaryOf(JSON.parse(event.split("data: ")[1] ?? ""))));
});

Deno.test("the reader of an event stream learns how it ended after what waits, and anything else is passed on unchanged", async () => {
  const broken = newestProgress(
    eventsOf([changed], (controller) => setTimeout(() => controller.error(new Error("gone")))),
  );
  const reader = broken.body?.getReader();
  assert((await reader?.read())?.value !== undefined);
  await assertRejects(async () => await reader?.read(), Error, "gone");
  const gone = Promise.withResolvers<unknown>();
  const open = new Response(new ReadableStream({ cancel: gone.resolve }), {
    headers: { "content-type": "text/event-stream" },
  });
  await newestProgress(open).body?.cancel("enough");
  assertEquals(await gone.promise, "enough");
  const json = Response.json({});
  assertEquals(newestProgress(json) === json, true);
});
