import type { ContentPart, Json } from "../../../mod.ts";
import type { ContentBlock, ToolResult } from "../../../strategy.ts";
import { JobFault } from "../../../src/errors.ts";
import { callResult } from "../../../src/exposure/answers/call_result.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../tools/std.ts";
import { completed as task, value } from "../support.ts";

const URI = "mcp://results/report/id-1";
const textOf = (block: ContentBlock | undefined) => block?.type === "text" ? block.text : "";
const bytesOf = (result: unknown) => new TextEncoder().encode(JSON.stringify(result)).length;

/** The structure of a result, without its texts. */
function shapeOf({ content, structuredContent, isError }: ToolResult) {
  return { blocks: content.map(({ type }) => type), data: Object.keys(structuredContent ?? {}), isError };
}

Deno.test("a result has text for the model, data for the client, and the URI of its resource in _meta", () => {
  const result = callResult(task, value({ total: 3 }));
  assertEquals(result.content, [{ type: "text", text: '{"total":3}' }]);
  assertEquals([result.structuredContent, result._meta], [{ total: 3 }, { resourceUri: URI }]);
});

Deno.test("a text is not quoted, and only an object becomes structured content", () => {
  const cases: [Json, string][] = [["plain", "plain"], [null, "null"], [[1], "[1]"], [7, "7"]];
  for (const [given, text] of cases) {
    const result = callResult(task, value(given));
    assertEquals(result.content[0], { type: "text", text });
    assertEquals("structuredContent" in result, false);
  }
});

Deno.test("a tool error becomes an error result, and a fault is thrown with its code", () => {
  const result = callResult(task, { kind: "tool_error", message: "no" });
  assertEquals([result.isError, result.content], [true, [{ type: "text", text: "Failed: no" }]]);
  assertEquals(result._meta, { resourceUri: URI });
  const fault = { kind: "fault", message: "broken", code: -32001 } as const;
  assertEquals(assertThrows(() => callResult(task, fault), JobFault, "broken").code, -32001);
});

Deno.test("the texts of a tool error and of a fault have at most two fifths of the room of an answer", () => {
  const message = "x".repeat(1_000_000);
  for (const inlineBytes of [8_000, 100_000]) {
    const { content: [block] } = callResult(task, { kind: "tool_error", message }, { inlineBytes });
    const fault = assertThrows(() => callResult(task, { kind: "fault", message }, { inlineBytes }), JobFault);
    for (const text of [block?.type === "text" ? block.text : "", fault.message]) {
      assert(text.length > inlineBytes / 4 && text.length <= inlineBytes * 2 / 5 + 1, `${text.length} characters`);
    }
  }
});

const IMAGE: ContentPart = { type: "image", data: "AAAA", mimeType: "image/png" };
const FILE: ContentPart = { type: "file", data: "AAAA", mimeType: "application/pdf", name: "a.pdf" };

Deno.test("content becomes content blocks, a file with the URI of its own resource, and the value its data", () => {
  const content: ContentPart[] = [{ type: "text", text: "two" }, IMAGE, FILE];
  const resource = { uri: `${URI}/3`, mimeType: "application/pdf", blob: "AAAA", _meta: { name: "a.pdf" } };
  const blocks = [{ type: "text", text: "two" }, IMAGE, { type: "resource", resource }];
  const plain = callResult(task, { kind: "value", value: null, content });
  assertEquals([plain.content, "structuredContent" in plain], [blocks, false]);
  const typed = callResult(task, { kind: "value", value: { total: 3 }, content });
  assertEquals([typed.content, typed.structuredContent], [blocks, { total: 3 }]);
});

Deno.test("the text of an answer, and its data, have at most half the room, as hosts cut longer ones; a picture may have all", () => {
  const [short, long] = ["x".repeat(36_000), "x".repeat(40_000)];
  assertEquals(shapeOf(callResult(task, value({ text: short }))).data, ["text"]);
  assertEquals(shapeOf(callResult(task, value(short))).blocks, ["text"]);
  for (const given of [long, { text: long }]) {
    const { blocks, data } = shapeOf(callResult(task, value(given)));
    assertEquals([blocks, data], [["text", "resource_link"], []]);
  }
  const data = ["token", "status", "message", "resource", "pages", "next"];
  assertEquals(shapeOf(callResult(task, value({ text: long }), { typed: true })).data, data);
  const picture: ContentPart = { type: "image", data: "A".repeat(70_000), mimeType: "image/png" };
  const drawn = callResult(task, { kind: "value", value: null, content: [picture] });
  assertEquals(shapeOf(drawn).blocks, ["image"]);
  const both = callResult(task, { kind: "value", value: { text: long }, content: [picture] }, { typed: true });
  assertEquals(shapeOf(both).data, data);
});

Deno.test("an answer that lacks many pictures names two of them and says how many there are besides, and its link has a short name", () => {
  const picture: ContentPart = { type: "image", data: "A".repeat(120_000), mimeType: "image/png" };
  const { content } = callResult(task, {
    kind: "value",
    value: null,
    content: Array.from({ length: 5 }, () => picture),
  });
  assertStringIncludes(
    content.map(textOf).join(),
    "lacks the image (image/png, 90,000 bytes) and the image (image/png, 90,000 bytes) and 3 more.",
  );
  const link = content.find(({ type }) => type === "resource_link");
  assertEquals(link?.type === "resource_link" && link.name, "results/report/id-1");
});

Deno.test("a larger result is answered with its beginning and a link; if a schema promises data, these are a handle", () => {
  const outcome = value({ text: "x".repeat(600_000) });
  for (const typed of [false, true]) {
    const result = callResult(task, outcome, { typed });
    const data = typed ? ["token", "status", "message", "resource", "pages", "next"] : [];
    assertEquals(shapeOf(result), { blocks: ["text", "resource_link"], data, isError: undefined });
    const [first, link] = result.content;
    const [head = "", note = ""] = textOf(first).split("\n\n");
    assert(head.startsWith('{"text":"xxx') && head.length <= 2_001);
    assertStringIncludes(note, `has 16 pages. Read the resource ${URI}?page=1`);
    assertEquals(link?.type === "resource_link" && [link.uri, link.mimeType], [URI, "application/json"]);
    assertEquals(result._meta, { resourceUri: URI });
  }
});

Deno.test("content that is too large is answered with what has room, and a link to the rest, or to the one part that has none", () => {
  const text: ContentPart = { type: "text", text: "A chart" };
  const large: ContentPart = { type: "image", data: "AAAA".repeat(100_000), mimeType: "image/png" };
  const one = callResult(task, { kind: "value", value: { total: 3 }, content: [text, IMAGE, large] }, { typed: true });
  assertEquals(shapeOf(one), {
    blocks: ["text", "image", "text", "resource_link"],
    data: ["total"],
    isError: undefined,
  });
  const link = one.content.at(-1);
  assertEquals(link?.type === "resource_link" && [link.uri, link.mimeType], [`${URI}/3`, "image/png"]);
  const first = callResult(task, { kind: "value", value: null, content: [large, text, FILE] });
  assertEquals(shapeOf(first).blocks, ["text", "resource", "text", "resource_link"]);
  const toFirst = first.content.at(-1);
  assertEquals(toFirst?.type === "resource_link" && [toFirst.uri, toFirst.mimeType], [`${URI}/1`, "image/png"]);
  const two = callResult(task, { kind: "value", value: null, content: [large, text, large, FILE] });
  assertEquals(shapeOf(two), { blocks: ["text", "resource", "text", "resource_link"], data: [], isError: undefined });
  const all = two.content.at(-1);
  assertEquals(all?.type === "resource_link" && [all.uri, all.mimeType], [URI, undefined]);
  const long: ContentPart = { type: "text", text: "é".repeat(90_000) };
  const cut = callResult(task, { kind: "value", value: null, content: [IMAGE, long] });
  assertEquals(shapeOf(cut).blocks, ["image", "text", "resource_link"]);
  const [head, note = ""] = textOf(cut.content[1]).split("\n\n");
  assertEquals(head, `${"é".repeat(1_000)}…`);
  assertStringIncludes(note, `Read the resource ${URI}?page=1`);
  // An image that has no room does not take the texts behind it along.
  const behind = callResult(task, { kind: "value", value: null, content: [large, text, long] });
  assertEquals(shapeOf(behind).blocks, ["text", "text", "resource_link"]);
  assertStringIncludes(textOf(behind.content[1]), "ééé");
});

Deno.test("an answer that lacks pictures names the page that has the first of them, or the resource if no message can carry it", () => {
  const text: ContentPart = { type: "text", text: "A chart" };
  const picture = (bytes: number): ContentPart => {
    return { type: "image", data: "A".repeat(bytes / 3 * 4), mimeType: "image/png" };
  };
  const noteOf = (...content: ContentPart[]) => {
    const answer = callResult(task, { kind: "value", value: null, content }, { pageCall: "task_status" });
    return answer.content.map(textOf).join("\n").split(" bytes). ").at(-1);
  };
  const pages = `or read the resource ${URI}?page=2 and so on.`;
  for (const bytes of [90_000, 3_000_000]) {
    const note = noteOf(text, picture(bytes), picture(bytes));
    assertEquals(note, `Call task_status with the token id-1 and page 2, ${pages}`); // The text is page 1.
  }
  const part = `or read the resource ${URI}/2.`;
  assertEquals(noteOf(text, picture(90_000)), `Call task_status with the token id-1 and page 2, ${part}`);
  assertEquals(noteOf(text, picture(3_000_000)), `Read the resource ${URI}/2.`);
});

Deno.test("an answer has at most as many bytes as its form allows, whatever the text, the error or the data", () => {
  const samples = ["x", '"\\', "\u0000", "世", "👍"];
  for (const inlineBytes of [8_000, 100_000]) {
    for (const sample of samples) {
      for (const length of [3_000, 40_000, 95_000]) {
        const text = sample.repeat(length / sample.length);
        for (const typed of [false, true]) {
          const form = { inlineBytes, typed, pageCall: "task_status" };
          const content = [IMAGE, { type: "text", text }, FILE] as const;
          const results = [
            callResult(task, value({ text }), form),
            callResult(task, value(text), form),
            callResult(task, { kind: "value", value: { text }, content }, form),
            callResult(task, { kind: "tool_error", message: text }, form),
          ];
          for (const result of results) {
            assert(bytesOf(result) <= inlineBytes, `${bytesOf(result)} bytes of ${length} ${sample}`);
          }
        }
      }
    }
  }
});
