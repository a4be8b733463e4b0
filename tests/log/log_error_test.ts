import { ErrorLines } from "../../src/log/log_error.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test("an error is logged as one line, and an operation that keeps failing as one line a minute", () => {
  const lines: string[] = [];
  let now = 0;
  const errors = new ErrorLines((line) => lines.push(line), () => now);
  errors.write("renew the lease of a worker", new Error("database is locked"));
  for (let i = 0; i < 20; i++) errors.write("renew the lease of a worker", new Error("database is locked"));
  errors.write("sweep", "no space left");
  now += 60_000;
  for (let i = 0; i < 3; i++) errors.write("renew the lease of a worker", new Error("disk I/O error"));
  assertEquals(lines, [
    "mcp-jobs: cannot renew the lease of a worker: database is locked",
    "mcp-jobs: cannot sweep: no space left",
    "mcp-jobs: cannot renew the lease of a worker: disk I/O error (and 20 times more since the last such line)",
  ]);
});

Deno.test("an error's text can neither break its line, nor change its direction, nor fill the disk", () => {
  const lines: string[] = [];
  const errors = new ErrorLines((line) => lines.push(line), () => 0);
  errors.write("read", new Error("a\nb\u0085c\u2028d\u202ee\u001b[2J\ud800"));
  errors.write("write", new Error("x".repeat(100_000)));
  assertEquals(lines[0], "mcp-jobs: cannot read: a\\u000ab\\u0085c\\u2028d\\u202ee\\u001b[2J\\ud800");
  assertEquals(lines[1]?.length, 525);
});
