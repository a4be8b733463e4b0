import type { ToolResult } from "../../strategy.ts";
import { callResult } from "../../src/exposure/answers/call_result.ts";
import { fitted } from "../../src/exposure/answers/fitted.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { completed as task, value } from "./support.ts";

const uri = "mcp://results/report/id-1";
const textOf = ({ content: [block] }: ToolResult) => block?.type === "text" ? block.text : "";

/** The structure of a result, without its texts. */
function shapeOf({ content, structuredContent, isError }: ToolResult) {
  return { blocks: content.map(({ type }) => type), data: structuredContent !== undefined, isError };
}

Deno.test("a result that fits is returned unchanged", () => {
  const result = callResult(task, value({ text: "x".repeat(380_000) }));
  for (const typed of [true, false]) assertEquals(fitted(result, typed) === result, true);
});

Deno.test("if text and data do not fit together, the text stays, or the data that a schema promises", () => {
  const result = callResult(task, value({ text: "x".repeat(600_000) }));
  const plain = fitted(result, false);
  assertEquals(shapeOf(plain), { blocks: ["text"], data: false, isError: undefined });
  assertEquals(plain.content === result.content, true);
  const typed = fitted(result, true);
  assertEquals(shapeOf(typed), { blocks: ["text"], data: true, isError: undefined });
  assertStringIncludes(textOf(typed), "`structuredContent` has the whole");
  assert(textOf(typed).startsWith('{"text":"xxx') && textOf(typed).length < 3_000);
});

Deno.test("a result that does not fit is cut to its beginning and a link to its resource, and is an error if it is typed", () => {
  const result = callResult(task, value({ text: "x".repeat(900_000) }));
  for (const [typed, isError] of [[false, undefined], [true, true]] as const) {
    const left = fitted(result, typed);
    assertEquals(shapeOf(left), { blocks: ["text", "resource_link"], data: false, isError });
    assert(textOf(left).startsWith('{"text":"xxx') && textOf(left).length < 3_000);
    assertStringIncludes(textOf(left), `Read the resource ${uri}`);
    assertEquals(left._meta, { resourceUri: uri });
  }
});

Deno.test("a large result without a resource says that it is cut, and a large error is cut", () => {
  const text = "x".repeat(900_000);
  const nameless = fitted({ content: [{ type: "text", text }] }, false);
  assertEquals(shapeOf(nameless), { blocks: ["text"], data: false, isError: undefined });
  assertStringIncludes(textOf(nameless), "too large for one message");
  const failed = fitted({ content: [{ type: "text", text }], isError: true }, false);
  assertEquals([textOf(failed).length, failed.isError], [780_001, true]);
});
