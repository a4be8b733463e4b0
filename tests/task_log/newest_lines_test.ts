import { NewestLines, newestLines, sizeOf } from "../../src/task_log/newest_lines.ts";
import { isAtLeast, isLogLevel, LOG_LEVELS } from "../../src/task_log/levels.ts";
import { assertEquals } from "../../tools/std.ts";

const line = (text: string) => ({ at: 1_764_340_000_000, level: "info" as const, text });

Deno.test("of many lines the last 200 are kept, and those that were dropped are counted", () => {
  const lines = new NewestLines(Array.from({ length: 1_000 }, (_, index) => line(`${index}`)));
  assertEquals([lines.lines.length, lines.lines[0]?.text, lines.dropped], [200, "800", 800]);
});

Deno.test("of long lines at most 65,536 bytes of UTF-8 are kept", () => {
  const long = line("世".repeat(1_000)); // 3,019 bytes, with its time and its level.
  assertEquals(sizeOf(long), 3_019);
  assertEquals(newestLines(Array.from({ length: 30 }, () => long)).length, 21);
});

Deno.test("levels are ordered by how severe they are", () => {
  assertEquals(LOG_LEVELS.filter((level) => isAtLeast(level, "error")), ["error", "critical", "alert", "emergency"]);
  assertEquals(["warning", "warn", 3].map(isLogLevel), [true, false, false]);
});
