import type { CompletedTask, Json } from "../../mod.ts";
import { JobFault } from "../../src/errors.ts";
import { callResult } from "../../src/exposure/surface.ts";
import { assert, assertEquals, assertThrows } from "../../tools/std.ts";

const task: CompletedTask = {
  id: "id-1",
  job: "report",
  owner: "me",
  status: "COMPLETED",
  revision: 3,
  attempt: 1,
  createdAt: 1,
  updatedAt: 2,
  finishedAt: 2,
  resultTtl: 60_000,
};
const uri = "mcp://results/report/id-1";
const value = (value: Json) => ({ kind: "value", value } as const);

Deno.test("a result is text for the model, data for the client and a link to its resource", () => {
  const result = callResult(task, value({ total: 3 }), false);
  assertEquals(result.content[0], { type: "text", text: '{"total":3}' });
  assert(result.content[1]?.type === "resource_link");
  assertEquals(result.content[1].uri, uri);
  assertEquals([result.structuredContent, result._meta], [{ total: 3 }, { resourceUri: uri }]);
});

Deno.test("a text is not quoted, and only an object is structured content", () => {
  const cases: [Json, string][] = [["plain", "plain"], [null, "null"], [[1], "[1]"], [7, "7"]];
  for (const [given, text] of cases) {
    const result = callResult(task, value(given), false);
    assertEquals(result.content[0], { type: "text", text });
    assertEquals("structuredContent" in result, false);
  }
});

Deno.test("a result over 1 MiB is left to its resource, and stays as data where a schema promises it", () => {
  const large = { text: "x".repeat(1_100_000) };
  const untyped = callResult(task, value(large), false);
  assert(JSON.stringify(untyped).length < 1_000);
  assert(untyped.content[0]?.type === "text" && untyped.content[0].text.includes(uri));
  assertEquals(callResult(task, value(large), true).structuredContent, large);
});

Deno.test("a tool error is a result that says so, and a fault is thrown with its code", () => {
  const result = callResult(task, { kind: "tool_error", message: "no" }, true);
  assertEquals([result.isError, result.content], [true, [{ type: "text", text: "no" }]]);
  const fault = { kind: "fault", message: "broken", code: -32001 } as const;
  assertEquals(assertThrows(() => callResult(task, fault, true), JobFault, "broken").code, -32001);
});
