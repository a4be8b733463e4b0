import { assertEquals, assertStringIncludes, assertThrows } from "../tools/std.ts";
import { InvalidValue } from "../src/errors.ts";
import { MAX_VALUE_BYTES, toJson, toText, wellFormed } from "../src/json.ts";

Deno.test("JSON values do not change, even with a __proto__ field", () => {
  for (const text of ["null", '{"a":[1,"ü",true,{}]}', '{"__proto__":{"x":1}}', '"\\\\ud800 😀"']) {
    assertEquals(JSON.stringify(toJson(JSON.parse(text), "it")), text);
  }
});

Deno.test("lone surrogates are replaced in texts and keys, and texts that resemble their escapes are not", () => {
  const cases: [unknown, unknown][] = [
    ["\ud83d", "\ufffd"],
    ["a\udc00b\ud83d\ude00\ud800\ud800", "a\ufffdb😀\ufffd\ufffd"],
    [["\ud800", { "\udfff": { deep: "\udbff" } }], ["\ufffd", { "\ufffd": { deep: "\ufffd" } }]],
    ['\\ud800 "\\ud800" \\\\ud800', '\\ud800 "\\ud800" \\\\ud800'],
    ["\\\ud800", "\\\ufffd"],
    [Object.fromEntries([["\ud800", 1], ["\udc00", 2]]), { "\ufffd": 2 }],
  ];
  for (const [given, whole] of cases) {
    assertEquals(toJson(given, "it"), whole);
    assertEquals(wellFormed(given), whole);
  }
  const same = { a: ["b"] };
  assertEquals(wellFormed(same) === same, true);
});

Deno.test("the error of a value that is not JSON names the value", () => {
  assertThrows(() => toJson(1n, "the input"), InvalidValue, "the input is a bigint, which is not JSON");
  assertThrows(
    () => toJson({ n: 1n }, "the input"),
    InvalidValue,
    'the field "n" of the input is a bigint, which is not JSON',
  );
});

Deno.test("undefined becomes null, absent fields stay absent, and toJSON is called", () => {
  assertEquals(toJson(undefined, "it"), null);
  assertEquals(toJson({ a: undefined, when: new Date(0) }, "it"), { when: "1970-01-01T00:00:00.000Z" });
});

Deno.test("a value that JSON cannot represent is refused, and the error says where it is", () => {
  const cases: [unknown, string][] = [
    [() => {}, "it is a function"],
    [{ run: () => {} }, 'its field "run" is a function'],
    [{ deep: [{ big: 1n }] }, 'its field "big" is a bigint'],
    [{ s: Symbol("x") }, 'its field "s" is a symbol'],
    [{ n: NaN }, 'its field "n" is NaN'],
    [[-Infinity], 'its field "0" is -Infinity'],
    [new Map([["a", 1]]), "it is a Map"],
    [new Error("broken"), "it is an Error"],
    [{ cause: new TypeError("broken") }, 'its field "cause" is an Error'],
    [/a/, "it is a RegExp"],
    [{ users: new Set([1]) }, 'its field "users" is a Set'],
    [{ forgotten: Promise.resolve(1) }, 'its field "forgotten" is a Promise'],
    [new Response("a page"), "it is a Response"],
    [{ query: new URLSearchParams("a=1") }, 'its field "query" is a URLSearchParams'],
    [new Blob(["a"]), "it is a Blob"],
    [{ bytes: new Uint8Array(2) }, 'its field "bytes" is a Uint8Array'],
    [new Uint8Array(2).buffer, "it is an ArrayBuffer"],
  ];
  for (const [value, message] of cases) assertThrows(() => toJson(value, "it"), InvalidValue, message);
});

Deno.test("a cycle, and a toJSON that throws, are refused with their cause", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const error = assertThrows(() => toJson(cycle, "the result"), InvalidValue, "the result is not JSON");
  assertStringIncludes(String(error.cause), "circular");
  const angry = {
    toJSON() {
      throw new Error("never");
    },
  };
  assertThrows(() => toJson(angry, "the result"), InvalidValue, "never");
});

Deno.test("a value may have 16 MiB of UTF-8, but not one byte more", () => {
  // Two bytes for the quotes, two for each character.
  const fits = "é".repeat(MAX_VALUE_BYTES / 2 - 1);
  assertEquals(toText(fits, "it").length, fits.length + 2);
  assertThrows(() => toText(`${fits}x`, "The input"), InvalidValue, `The input has ${MAX_VALUE_BYTES + 1} bytes`);
  assertThrows(() => toJson(`${fits}x`, "The result"), InvalidValue, "The result has");
});
