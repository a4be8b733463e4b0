import { fitted } from "../../../src/exposure/answers/fitted.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";

const block = (text: string) => ({ type: "text", text }) as const;

Deno.test("a result that fits into a message is returned unchanged", () => {
  const result = { content: [block("x".repeat(700_000))], structuredContent: { a: 1 }, isError: true };
  assertEquals(fitted(result) === result, true);
});

Deno.test("the result of a strategy that does not fit is an error with its beginning", () => {
  const { content: [first], isError } = fitted({ content: [block("x".repeat(900_000))] });
  assert(first?.type === "text");
  assert(first.text.startsWith("xxx") && first.text.length < 3_000);
  assertStringIncludes(first.text, "too large for one message");
  assertEquals(isError, true);
});

Deno.test("an error that does not fit is cut", () => {
  const { content: [first], isError } = fitted({ content: [block("x".repeat(900_000))], isError: true });
  assertEquals([first?.type === "text" && first.text.length, isError], [780_001, true]);
});
