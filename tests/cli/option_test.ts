import { UsageError } from "../../src/cli/command.ts";
import { lengthOfTime, percent, timeOf } from "../../src/cli/format.ts";
import { number, status, time } from "../../src/cli/option.ts";
import { assertEquals, assertThrows } from "../../tools/std.ts";
import { testUnless } from "../support/test_unless.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");

Deno.test("a time is an age or a date", () => {
  const { read } = time("created then or later");
  assertEquals(read("90s", NOW), NOW - 90_000);
  assertEquals(read("15m", NOW), NOW - 900_000);
  assertEquals(read("2h", NOW), NOW - 7_200_000);
  assertEquals(read("7d", NOW), NOW - 604_800_000);
  assertEquals(read("2026-11-28T11:00:00Z", NOW), NOW - 3_600_000);
  for (const wrong of ["", "2", "2w", "-2h", "yesterday"]) assertThrows(() => read(wrong, NOW), UsageError);
});

const fixedZone = Deno.build.os === "windows" ? "a process cannot set its time zone on Windows" : undefined;

testUnless(fixedZone, "a date without a time zone is one of the local time zone, as in the tables", () => {
  const { read } = time("created then or later");
  const zone = Deno.env.get("TZ");
  try {
    Deno.env.set("TZ", "America/New_York");
    for (const text of ["2026-11-28", "2026-11-28 00:00:00", "2026-11-28T00:00"]) {
      assertEquals(read(text, NOW), Date.parse("2026-11-28T05:00:00Z"), text);
    }
  } finally {
    if (zone === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", zone);
  }
});

Deno.test("a number is whole and within its limits", () => {
  const { read } = number("N", "at most so many", 1, 1_000);
  assertEquals(read("1000", NOW), 1_000);
  for (const wrong of ["0", "1001", "1.5", "-1", "1e2", "x"]) assertThrows(() => read(wrong, NOW), UsageError);
});

Deno.test("a status may be written in small letters", () => {
  assertEquals(status.read("failed", NOW), "FAILED");
  assertThrows(() => status.read("done", NOW), UsageError, "INPUT_REQUIRED");
});

Deno.test("lengths of time have one unit that people can compare", () => {
  assertEquals([400, 12_000, 99_000, 101_000, 7_200_000, 200_000_000].map(lengthOfTime), [
    "0s",
    "12s",
    "99s",
    "2m",
    "2h",
    "2d",
  ]);
});

Deno.test("times stand in the local time zone, and shares are never rounded up to 100%", () => {
  assertEquals(timeOf(new Date(2026, 10, 28, 14, 5, 9).getTime()), "2026-11-28 14:05:09");
  // Such as the end of a result that is kept for good.
  assertEquals(timeOf(Date.now() + Number.MAX_SAFE_INTEGER), "after the year 9999");
  assertEquals([undefined, 0, 0.29, 0.999, 1].map(percent), ["", "0%", "29%", "99%", "100%"]);
});
