import { newTaskId } from "../../../../src/ids.ts";
import { eventIdOf, parseEventId, type StreamRequest } from "../../../../src/mcp/http/sessions/event_ids.ts";
import { assertEquals } from "../../../../tools/std.ts";

const ID = newTaskId();

/** The id of an event that names this request, as a client could make one up. */
function madeUp(request: string): string {
  return `${ID}.stream~${new TextEncoder().encode(request).toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

Deno.test("an event id names its request and what replaces that, and is read as it was written", () => {
  const substitute = { method: "tasks/result", params: { taskId: ID } };
  const requests: readonly (StreamRequest | undefined)[] = [undefined, { id: 7 }, { id: "ä" }, { id: 7, substitute }];
  for (const request of requests) {
    const eventId = eventIdOf(ID, "stream", { method: "ping" }, request);
    assertEquals(parseEventId(eventId), { id: ID, stream: "stream", last: false, request });
  }
});

Deno.test("an id that is not one of ours, or whose stream could be no key of a store, names no event", () => {
  assertEquals(parseEventId(`${ID}!${"s".repeat(64)}`)?.last, true);
  const others = [
    "",
    "7",
    ID,
    `${ID}7.stream`,
    `${ID}:stream`,
    `${ID}.`,
    `${ID}.a b`,
    `${ID}.${"s".repeat(65)}`,
  ];
  assertEquals(others.map(parseEventId), others.map(() => undefined));
});

Deno.test("a request in an event id that no message could be is none, and only calls and results are replaced", () => {
  const deep = `${"[".repeat(254)}${"]".repeat(254)}`;
  const requestOf = (text: string) => parseEventId(madeUp(text))?.request;
  const call = (argument: string) => `[7, "tools/call", { "name": "a", "arguments": ${argument} }]`;
  assertEquals(requestOf(call("{}"))?.substitute?.method, "tools/call");
  assertEquals(requestOf(call(deep))?.id, 7);
  for (const method of ["initialize", "ping", "subscriptions/listen", "notifications/cancelled"]) {
    assertEquals(requestOf(`[7, "${method}", {}]`), { id: 7 });
  }
  const none = [
    call(`[${deep}]`),
    call("[".repeat(20_000) + "]".repeat(20_000)),
    "[1e999]",
    "[1.5]",
    "[null]",
    "[]",
    "7",
  ];
  for (const text of [...none, '["\\ud800"]', `["${"x".repeat(20_000)}"]`, "{", ""]) {
    assertEquals(requestOf(text), undefined);
  }
});
