import { BackendError } from "../../mod.ts";
import { ErrorLines, reporterOf } from "../../src/log/on_error.ts";
import { writeThrough } from "../../src/log/stderr.ts";
import { assert, assertEquals, assertMatch } from "../../tools/std.ts";

/** Lines at a time that the test sets. */
function linesAt(now: { ms: number }): { readonly errors: ErrorLines; readonly written: string[] } {
  const written: string[] = [];
  return { errors: new ErrorLines((line) => written.push(line), () => now.ms), written };
}

Deno.test("an error is one line of JSON, with its place and what is known of its task", () => {
  const { errors, written } = linesAt({ ms: 1_000 });
  errors.report(new BackendError("Redis is away."), { where: "renew the lease of a worker" });
  errors.report("no space left", { where: "sweep", job: "report", task: "7" });
  assertEquals(written, [
    '{"at":"1970-01-01T00:00:01.000Z","where":"renew the lease of a worker","error":"Redis is away."}',
    '{"at":"1970-01-01T00:00:01.000Z","where":"sweep","job":"report","task":"7","error":"no space left"}',
  ]);
});

Deno.test("one place gets 10 lines a minute, and then one with the number left out; others lose nothing by it", () => {
  const now = { ms: 0 };
  const { errors, written } = linesAt(now);
  const report = (where: string) => errors.report("away", { where });
  for (let i = 0; i < 25; i++) report("renew");
  report("sweep");
  assertEquals(written.map((line) => JSON.parse(line).where), [...Array(10).fill("renew"), "sweep"]);
  now.ms = 59_999;
  report("renew");
  assertEquals(written.length, 11);
  now.ms = 60_000;
  report("sweep");
  const [leftOut, next] = written.slice(11).map((line) => JSON.parse(line));
  assertEquals(leftOut, { at: "1970-01-01T00:01:00.000Z", where: "renew", leftOut: 16 });
  assertEquals([next.where, next.error], ["sweep", "away"]);
  for (let i = 0; i < 13; i++) report("renew");
  errors.end();
  errors.end();
  assertEquals(written.slice(23).map((line) => JSON.parse(line).leftOut), [3]);
});

Deno.test("events still arrive after a clock was set back", () => {
  const now = { ms: 3_600_000 };
  const { errors, written } = linesAt(now);
  for (let i = 0; i < 11; i++) errors.report("away", { where: "renew" });
  now.ms = 0;
  errors.report("still away", { where: "renew" });
  assertEquals(written.slice(10).map((line) => JSON.parse(line).leftOut ?? JSON.parse(line).error), [1, "still away"]);
});

Deno.test("an error's text can neither break its line, nor change its direction, nor fill the disk", () => {
  const { errors, written } = linesAt({ ms: 0 });
  const hostile = "a\nb\u0085c\u2028d\u202ee\u001b[2J\ud800";
  errors.report(hostile, { where: "read" });
  errors.report("x".repeat(100_000), { where: "write" });
  const [first = "", second = ""] = written;
  assertMatch(first, /^[\x20-\x7e]+$/);
  assertEquals(JSON.parse(first).error, hostile);
  assert(second.length < 600, second);
});

Deno.test("the line of a failed job has the kind of its error and where it was thrown, but no message, which may quote the input", () => {
  const { errors, written } = linesAt({ ms: 0 });
  const place = { where: "run a job", job: "send", task: "7" };
  class NoSuchUser extends Error {
    override name = "NoSuchUser";
  }
  const changed = new Error("secret\n    at secret (secret.ts:1:1)");
  assert(changed.stack?.includes("secret")); // From here on its stack is fixed.
  changed.message = "another";
  const secrets: unknown[] = [
    new NoSuchUser("secret"),
    new TypeError("two lines\n    at secret (secret.ts:1:1)"),
    new BackendError("secret"),
    changed,
    "secret",
    { secret: 1 },
    new Error(""),
  ];
  for (const secret of secrets) errors.report(secret, place);
  const texts = written.map((line) => JSON.parse(line).error);
  assert(!written.join().includes("secret"), written.join("\n"));
  const frame = /on_error_test\.ts:\d+:\d+\)?\)$/;
  for (const [index, name] of [[0, "NoSuchUser"], [1, "TypeError"], [2, "BackendError"], [6, "Error"]] as const) {
    assert(texts[index].startsWith(`${name} (at `) && frame.test(texts[index]), texts[index]);
  }
  assertEquals(texts.slice(3, 6), ["Error", "a string", "an object"]);
  for (const where of ["run a key function", "call a listener of changes"]) {
    errors.report(new Error("secret"), { where });
  }
  assertEquals(written.slice(-2).map((line) => line.includes("secret")), [false, true]);
});

Deno.test("a text that code sets as the name of an error stands in no line unless it is the name of a kind of errors", () => {
  const { errors, written } = linesAt({ ms: 0 });
  class NoSuchUser extends Error {}
  const named = (name: unknown, error: Error = new NoSuchUser("secret")) => Object.assign(error, { name });
  const place = { where: "run a job" };
  for (const name of ["ann@example.com", "sk_live_42", "", 5, null, "x".repeat(300)]) errors.report(named(name), place);
  for (const name of ["TimeoutError", "NotFoundException"]) errors.report(named(name, new Error("secret")), place);
  errors.report(new DOMException("secret", "AbortError"), place);
  const told = written.map((line) => JSON.parse(line).error.split(" ")[0]);
  assertEquals(told, [...Array(6).fill("NoSuchUser"), "TimeoutError", "NotFoundException", "AbortError"]);
});

Deno.test("any value that code throws gets its line, also one that throws when it is read", () => {
  const { errors, written } = linesAt({ ms: 0 });
  const throwing = () => fail();
  const hostile: unknown[] = [
    Object.create(null),
    Symbol("away"),
    { toString: throwing },
    Object.defineProperty(new Error("away"), "message", { get: throwing }),
    Object.defineProperty(new Error("away"), "name", { get: throwing }),
    Object.defineProperty(new Error("away"), "stack", { get: throwing }),
    Object.assign(new Error("away"), { stack: 5, message: {} }),
    new Proxy(new Error("away"), { getPrototypeOf: throwing }),
  ];
  for (const [index, error] of hostile.entries()) {
    for (const where of ["run a job", `sweep ${index}`]) errors.report(error, { where });
  }
  assertEquals(written.length, 2 * hostile.length);
  for (const line of written) assertMatch(JSON.parse(line).error, /./);
});

Deno.test("the place of an error is the first one outside of libraries, and is left out where there is none", () => {
  const { errors, written } = linesAt({ ms: 0 });
  const stackOf = (...frames: string[]) => ["Error: away", ...frames.map((frame) => `    at ${frame}`)].join("\n");
  const library = "Redis.send (file:///home/me/.cache/deno/npm/registry.npmjs.org/ioredis/6.0.0/built/Redis.js:1:2)";
  const own = "run (file:///srv/jobs.ts:3:4)";
  for (const frames of [[library, own], ["ext:core/01_core.js:1:1", library], ["a (node:net:1:1)", own]]) {
    errors.report(Object.assign(new Error("away"), { stack: stackOf(...frames) }), { where: "read" });
  }
  const texts = written.map((line) => JSON.parse(line).error);
  assertEquals(texts, [`away (at ${own})`, "away", `away (at ${own})`]);
});

Deno.test("an onError that throws or rejects breaks nothing", async () => {
  const received: unknown[] = [];
  const failing = [
    (error: unknown) => {
      received.push(error);
      throw new Error("the log is full");
    },
    (error: unknown) => Promise.reject(new Error(`cannot send ${received.push(error)}`)),
  ];
  for (const onError of failing) reporterOf(onError)("away", { where: "test a reporter" });
  await Promise.resolve();
  assertEquals(received, ["away", "away"]);
});

Deno.test("an error without an onError is a line on stderr; if the onError fails, its own error is one, too", () => {
  const lines: string[] = [];
  const end = writeThrough({ write: (line) => lines.push(line) });
  try {
    reporterOf()("away", { where: "test the default" });
    reporterOf(() => {
      throw new BackendError("The log is full.");
    })("away", { where: "test another" });
  } finally {
    end();
  }
  assertEquals(lines.map((line) => JSON.parse(line)).map(({ where, error }) => [where, error]), [
    ["test the default", "away"],
    ["test another", "away"],
    ["call onError", "The log is full."],
  ]);
});

Deno.test("a process that ends says of how many errors it has left out the lines", async () => {
  const code = `
    import { reporterOf } from ${JSON.stringify(import.meta.resolve("../../src/log/on_error.ts"))};
    for (let i = 0; i < 12; i++) reporterOf()("away", { where: "test" });
  `;
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", "--no-lock", code] });
  const { success, stderr } = await child.output();
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n").slice(-11).map((line) => JSON.parse(line));
  assertEquals([success, lines.map(({ error, leftOut }) => error ?? leftOut)], [true, [...Array(10).fill("away"), 2]]);
});

function fail(): never {
  throw new Error("It cannot be read.");
}
