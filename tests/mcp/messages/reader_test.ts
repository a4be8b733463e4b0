import { JsonScan } from "../../../src/mcp/messages/json_scan.ts";
import { maxMessageBytes } from "../../../src/mcp/messages/message.ts";
import { MessageReader, type Read } from "../../../src/mcp/messages/reader.ts";
import { randomFrom } from "../../../tools/random.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Reads a text that comes in pieces of `size` bytes. */
function read(text: string, size = Infinity, maxBytes = 100_000_000): Read | undefined {
  const reader = new MessageReader(maxBytes);
  const bytes = bytesOf(text);
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return reader.end();
}

function refusal(text: string, maxBytes?: number) {
  const refused = read(text, 1_000, maxBytes);
  if (refused === undefined || !("refusal" in refused)) throw new Error(`Not refused: ${JSON.stringify(refused)}`);
  return { id: refused.refusal.id, message: refused.refusal.error.message, status: refused.status };
}

/** How deeply a value is nested, and how many values it holds besides itself. */
function countsOf(value: unknown): { readonly deepest: number; readonly values: number } {
  if (typeof value !== "object" || value === null) return { deepest: 0, values: 0 };
  const parts = Object.values(value).map(countsOf);
  return {
    deepest: 1 + Math.max(0, ...parts.map(({ deepest }) => deepest)),
    values: parts.reduce((sum, { values }) => sum + values + 1, 0),
  };
}

/** A random JSON value, with everything that makes a text hard to scan. */
function someValue(random: () => number, depth = 0): unknown {
  const pick = Math.floor(random() * (depth > 4 ? 5 : 8));
  const many = Array.from({ length: Math.floor(random() * 4) });
  if (pick === 0) return Math.floor(random() * 1_000);
  if (pick < 5) {
    return many.map(() => ['"', "\\", '\\"', ",", "[", "}", "é", "💥", "\n"][Math.floor(random() * 9)]).join("");
  }
  if (pick === 5) return many.map(() => someValue(random, depth + 1));
  return Object.fromEntries(many.map((_, i) => [`k${i},"{`, someValue(random, depth + 1)]));
}

Deno.test("a scan counts the depth and items that parsing would find, wherever the bytes are split", () => {
  const random = randomFrom(1);
  for (let i = 0; i < 500; i++) {
    const value = someValue(random);
    const bytes = bytesOf(JSON.stringify(value, null, i % 2));
    for (const size of [1, 3, 1_000]) {
      const scan = new JsonScan();
      for (let at = 0; at < bytes.length; at += size) scan.push(bytes.subarray(at, at + size));
      const { deepest, values } = countsOf(value);
      assertEquals(scan.deepest, deepest);
      // Each value but the first follows a comma or a bracket; an empty array or object has a bracket and no value.
      assert(scan.items >= values && scan.items <= 2 * values + 1, `${scan.items} for ${values}`);
    }
  }
});

Deno.test("a message is the same, however its bytes are split", () => {
  const params = { text: 'é "\\" 💥', list: [[], {}, 1] };
  const message = { jsonrpc: "2.0" as const, id: 1, method: "tools/call", params };
  for (const size of [1, 2, 7, 1_000]) assertEquals(read(` ${JSON.stringify(message)}\r\n`, size), { message });
  assertEquals(read(" \n "), undefined);
});

Deno.test("a message that is too long, too deep or has too many items is refused under its own id, before it is parsed", () => {
  const call = (params: string) => `{"method":"ping","params":${params},"jsonrpc":"2.0","id":"seven"}`;
  assertEquals(refusal(call(`"${"x".repeat(2_000)}"`), 1_000), {
    id: "seven",
    message: "Invalid request: the message has more than 1000 bytes.",
    status: 413,
  });
  const { id, status, message } = refusal(call(`${"[".repeat(300)}${"]".repeat(300)}`));
  assertEquals([id, status, message], ["seven", 400, "Invalid request: nested deeper than 256 levels."]);
  for (const [open, item, close] of [["[", "1,", "1]"], ["[", "[],", "1]"], ["{", '"a":1,', '"a":1}']] as const) {
    const { id, status, message } = refusal(call(open + item.repeat(1_000_001) + close));
    assertEquals([id, status, message], ["seven", 400, "Invalid request: the message has more than 1000000 items."]);
  }
});

Deno.test("the id of a refused message is that of its outermost object, and no other", () => {
  const long = "x".repeat(3_000);
  const cases: [string, string | number | null][] = [
    [`{"id":7,"params":{"id":8,"a":"${long}"}}`, 7],
    [`{"params":{"id":8,"a":"${long}"},"id":"a\\"}b"}`, 'a"}b'],
    [`{"params":{"id":8,"a":"${long}"}}`, null],
    [`{"id":{"id":8},"params":"${long}"}`, null],
    [`[{"id":8,"a":"${long}"}]`, null],
    [`{"id":7,"params":{"a":"${long}`, 7],
    [`{"params":{"a":"${long}`, null],
    [`}]${long}`, null],
  ];
  for (const [text, id] of cases) assertEquals(refusal(text, 1_000).id, id, text.slice(0, 30));
  // The outermost object is kept up to the size of an ordinary request.
  assertEquals(refusal(`{"id":7,"a":"${"x".repeat(10_000)}"}`, 1_000).id, null);
});

Deno.test("JSON that is no object is refused as no message", () => {
  for (const text of ["null", "7", "true", '"id"']) {
    const { id, message } = refusal(text);
    assertEquals([id, message], [null, "Invalid request: not a JSON-RPC 2.0 message."], text);
  }
});

Deno.test("the limit of a message follows the largest input, and what can be stored", () => {
  assertEquals(maxMessageBytes(1_000), 1_000 + 1024 * 1024);
  assertEquals([maxMessageBytes(Infinity), maxMessageBytes(1e9)], [17 * 1024 * 1024, 17 * 1024 * 1024]);
  assertStringIncludes(refusal(`"${"x".repeat(2_000_000)}"`, maxMessageBytes(1_000)).message, "1049576 bytes");
});

Deno.test("a message in pieces of one byte takes little more memory than its text until it is read", () => {
  const pieces = 3_000_000;
  const reader = new MessageReader(2 * pieces);
  reader.push(bytesOf('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"text":"é'));
  const piece = bytesOf("x");
  const before = Deno.memoryUsage().heapUsed;
  for (let i = 0; i < pieces; i++) reader.push(piece);
  const taken = Deno.memoryUsage().heapUsed - before;
  // Added one by one, they would take 96 MB.
  assert(taken < 48_000_000, `${taken} bytes`);
  reader.push(bytesOf('"}}'));
  const whole = reader.end();
  assertEquals(whole && "message" in whole && "params" in whole.message && whole.message.params, {
    text: `é${"x".repeat(pieces)}`,
  });
});
