import { z } from "zod";
import { assertEquals } from "../../tools/std.ts";
import { patternPower } from "../../src/schema/pattern_cost.ts";

function assertPower(expected: number, patterns: readonly string[]): void {
  for (const pattern of patterns) assertEquals([pattern, patternPower(pattern)], [pattern, expected]);
}

Deno.test("a pattern in which a repeated group can match a text in several ways takes exponential time", () => {
  assertPower(Infinity, [
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

Deno.test("a pattern that can move on from one repetition to the next at any point takes quadratic time", () => {
  assertPower(2, ["\\s+$", "^.*foo.*bar$", "^.*\\S.*$", "^\\d+\\d+$"]);
});

Deno.test("each further repetition to which a pattern can move on raises the power of its time", () => {
  assertPower(3, ["^\\w*\\s?\\w*\\s?\\w*$", "^\\S+@\\S+\\.\\S+$", "\\d+\\d+$", "^a*a*b+c*c*d"]);
  assertPower(4, ["^\\w*\\s?\\w*\\s?\\w*\\s?\\w*$"]);
  assertPower(5, ["^(\\w+\\s?){1,5}$"]);
  assertPower(21, ["(.*?,){20}P"]);
  assertPower(64, ["^(\\w+\\s?){1,64}$"]);
});

Deno.test("limited repetitions within each other take as much time as a power of the length that has as many ways", () => {
  assertPower(3, ["^(\\w{1,30}\\s?){1,3}$"]);
  assertPower(5, ["^(?:[\\w-]{1,40}/?){1,5}$", "^(?:(?:%[0-9A-F]{2}){1,30}\\s?){1,10}$"]);
  assertPower(6, ["^(\\w\\w?){1,30}$", "^((ab){1,30} ?){1,10}$"]);
  assertPower(8, ["^(\\w{1,30}\\s?){1,10}$"]);
  assertPower(Infinity, ["^(\\w{1,50}\\s?){1,60}$"]); // It is too large to be tried.
  assertPower(1, [
    "[0-9a-f]{40}",
    "\\b[0-9a-f]{7,40}\\b",
    "[A-Z][A-Z0-9]{1,31}-\\d+",
    "^(\\w{1,30}\\s){1,10}$",
    "^(\\d[\\s-]?){7,15}$",
    "^[a-z0-9-]+(\\.[a-z0-9-]+){0,63}$",
  ]);
});

Deno.test("a pattern that looks far ahead or back again and again, and one with a backreference, takes longer than linear time", () => {
  assertPower(2, [
    "(?=.*[A-Z])a",
    "(?=.*\\d)[a-z]{8,}",
    "a(?!.*b)",
    "^(?:(?!.*foo).)*$",
    "^(?:(?=.*b)a)*b$",
    "^a*(?=.*b)c",
    "^\\d+(?<!-.*)$",
    "^[a-z]+(?<!\\s.{0,1000})$",
    "^(a*)\\1$",
  ]);
  assertPower(3, ["^(?:a(?<=a*))*$", "^[a-z]+(?<!x(?=.*z)y)$", "^(a*)(a*)\\2\\1$"]);
});

Deno.test("a pattern that looks far ahead only once, or only a little, takes linear time", () => {
  assertPower(1, [
    "^(?=.*[A-Z])(?=.*\\d)\\S{8,}$",
    "^(?!.*\\.\\.)[a-z.]+$",
    "^(?:(?!foo).)*$",
    "^(?!-)[a-z0-9-]{1,63}(?<!-)$",
    "^[a-z-]+(?<!-{2,9})$",
    "^(?=.*[a-z](?<!x))\\S+\\b$",
  ]);
});

Deno.test("a pattern that can match a text in one way only takes linear time", () => {
  assertPower(1, [
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

Deno.test("a pattern that cannot be parsed, or is too large to analyse, counts as quadratic", () => {
  assertPower(2, ["(", "^(?:(?:[a-f]{60}x?){60}){60}$"]);
});

Deno.test("of zod's own formats only suffixes are slow", () => {
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
  const powers = Object.entries(schemas).flatMap(([name, schema]) => {
    const { pattern } = z.toJSONSchema(schema);
    return pattern === undefined ? [] : [[name, patternPower(pattern)] as const];
  });
  assertEquals(powers.filter(([, power]) => power > 1), [["ends", 2]]);
});

Deno.test("a pattern that counts as linear rejects a long text quickly", () => {
  for (const pattern of ["^(x{10})*$", "^([a-z0-9]+-)*[a-z0-9]+$", "^(?:\\d{1,3},)*\\d+$"]) {
    assertEquals(patternPower(pattern), 1);
    assertEquals(new RegExp(pattern, "u").test("x1,-".repeat(5_000) + "!"), false);
  }
});
