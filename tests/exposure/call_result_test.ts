import type { Json } from "../../mod.ts";
import { JobFault } from "../../src/errors.ts";
import { callResult } from "../../src/exposure/answers/call_result.ts";
import { assertEquals, assertThrows } from "../../tools/std.ts";
import { completed as task, value } from "./support.ts";

Deno.test("a result has text for the model, data for the client, and the URI of its resource in _meta", () => {
  const result = callResult(task, value({ total: 3 }));
  assertEquals(result.content, [{ type: "text", text: '{"total":3}' }]);
  assertEquals([result.structuredContent, result._meta], [{ total: 3 }, { resourceUri: "mcp://results/report/id-1" }]);
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
  assertEquals([result.isError, result.content], [true, [{ type: "text", text: "no" }]]);
  const fault = { kind: "fault", message: "broken", code: -32001 } as const;
  assertEquals(assertThrows(() => callResult(task, fault), JobFault, "broken").code, -32001);
});
