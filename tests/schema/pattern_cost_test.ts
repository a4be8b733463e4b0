import { z } from "zod";
import { assertEquals } from "../../tools/std.ts";
import { type PatternCost, patternCost } from "../../src/schema/pattern_cost.ts";

function assertCost(expected: PatternCost, patterns: readonly string[]): void {
  for (const pattern of patterns) assertEquals([pattern, patternCost(pattern)], [pattern, expected]);
}

Deno.test("a pattern in which a repeated group can match a text in several ways takes exponential time", () => {
  assertCost("exponential", [
    "^(a+)+$",
    "(a*)*$",
    "^(a|a)*$",
    "^(a|aa)+$",
    "^(a|b|ab)*c$",
    "(x+x+)+y",
    "^(\\w+\\s?)*$",
    "^(.*)*$",
    "^(?:a?b?)*$",
    "^(\\d{1,10})*$",
    "^(?=(a+)+$)",
    "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}[a-z]{2,3}$",
  ]);
});

Deno.test("a pattern that can move on from one repetition to the next at any point takes polynomial time", () => {
  assertCost("polynomial", ["\\s+$", "^.*foo.*bar$", "^.*\\S.*$", "(.*?,){20}P", "^\\d+\\d+$"]);
});

Deno.test("a pattern that looks far ahead or back again and again, and one with a backreference, takes polynomial time", () => {
  assertCost("polynomial", [
    "(?=.*[A-Z])a",
    "(?=.*\\d)[a-z]{8,}",
    "a(?!.*b)",
    "^(?:(?!.*foo).)*$",
    "^(?:(?=.*b)a)*b$",
    "^a*(?=.*b)c",
    "^(?:a(?<=a*))*$",
    "^\\d+(?<!-.*)$",
    "^[a-z]+(?<!\\s.{0,1000})$",
    "^[a-z]+(?<!x(?=.*z)y)$",
    "^(a*)\\1$",
  ]);
});

Deno.test("a pattern that looks far ahead only once, or only a little, takes linear time", () => {
  assertCost("linear", [
    "^(?=.*[A-Z])(?=.*\\d)\\S{8,}$",
    "^(?!.*\\.\\.)[a-z.]+$",
    "^(?:(?!foo).)*$",
    "^(?!-)[a-z0-9-]{1,63}(?<!-)$",
    "^[a-z-]+(?<!-{2,9})$",
    "^(?=.*[a-z](?<!x))\\S+\\b$",
  ]);
});

Deno.test("a pattern that can match a text in one way only takes linear time", () => {
  assertCost("linear", [
    "x",
    "^[a-z]+$",
    "[a-z]+",
    "^(x{10})*$",
    "^(?:\\d{1,3},)*\\d+$",
    "^([a-z0-9]+-)*[a-z0-9]+$",
    "^[^@]+@[^@]+$",
    '(?:[^"\\\\]|\\\\.)*',
    "\\p{L}+",
    // Nothing after the group can fail, so no other way is tried.
    "^(\\w+\\s?)*",
  ]);
});

Deno.test("a pattern that cannot be parsed, or is too large to analyse, counts as polynomial", () => {
  assertCost("polynomial", ["(", "^(?:(?:[a-f]{60}x?){60}){60}$"]);
});

Deno.test("none of zod's own formats takes exponential time, and only host names and suffixes are slow", () => {
  const schemas = {
    email: z.email(),
    uuid: z.uuid(),
    datetime: z.iso.datetime(),
    duration: z.iso.duration(),
    ipv4: z.ipv4(),
    ipv6: z.ipv6(),
    cidrv6: z.cidrv6(),
    base64: z.base64(),
    base64url: z.base64url(),
    e164: z.e164(),
    emoji: z.emoji(),
    hostname: z.hostname(),
    starts: z.string().startsWith("a"),
    ends: z.string().endsWith(".pdf"),
    includes: z.string().includes("x"),
  };
  const costs = Object.entries(schemas).flatMap(([name, schema]) => {
    const { pattern } = z.toJSONSchema(schema);
    return pattern === undefined ? [] : [[name, patternCost(pattern)]];
  });
  assertEquals(costs.filter(([, cost]) => cost === "exponential"), []);
  assertEquals(costs.filter(([, cost]) => cost === "polynomial").map(([name]) => name), ["hostname", "ends"]);
});

Deno.test("a pattern that counts as linear rejects a long text quickly", () => {
  for (const pattern of ["^(x{10})*$", "^([a-z0-9]+-)*[a-z0-9]+$", "^(?:\\d{1,3},)*\\d+$"]) {
    assertEquals(patternCost(pattern), "linear");
    assertEquals(new RegExp(pattern, "u").test("x1,-".repeat(5_000) + "!"), false);
  }
});
