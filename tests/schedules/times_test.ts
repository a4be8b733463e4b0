import { DefinitionError } from "../../src/errors.ts";
import { checkTimes, dueAfter, dueBefore, type Times } from "../../src/schedules/times.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../tools/std.ts";

const berlin = (cron: string): Times => ({ cron, timeZone: "Europe/Berlin" });

/** The due times after `from`, as ISO texts. Those before each must be the same ones. */
function dueTimes(times: Times, from: string, count: number): string[] {
  const due: number[] = [];
  for (let after = Date.parse(from); due.length < count;) {
    after = dueAfter(times, 0, after) ?? NaN;
    due.push(after);
  }
  due.slice(1).forEach((time, index) => assertEquals(dueBefore(times, 0, time), due[index]));
  return due.map((time) => new Date(time).toISOString().slice(0, 16));
}

Deno.test("a time of day that the clocks skip in spring is due once, at the end of the gap", () => {
  assertEquals(dueTimes(berlin("30 2 * * *"), "2026-03-28T12:00:00Z", 3), [
    "2026-03-29T01:00", // 3:00, summer time
    "2026-03-30T00:30",
    "2026-03-31T00:30",
  ]);
});

Deno.test("a time of day that comes twice in autumn is due once, the first time", () => {
  assertEquals(dueTimes(berlin("30 2 * * *"), "2026-10-24T12:00:00Z", 3), [
    "2026-10-25T00:30", // 2:30, summer time; 1:30 by UTC would be 2:30, winter time
    "2026-10-26T01:30",
    "2026-10-27T01:30",
  ]);
});

Deno.test("a schedule of every half hour continues unchanged when the clocks change", () => {
  const half = (from: string) => dueTimes(berlin("*/30 * * * *"), from, 6).map((time) => time.slice(11));
  assertEquals(half("2026-03-29T00:10:00Z"), ["00:30", "01:00", "01:30", "02:00", "02:30", "03:00"]);
  assertEquals(half("2026-10-24T23:50:00Z"), ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30"]);
});

Deno.test("times of `every` are multiples of it, counted from the anchor", () => {
  const every = (ms: number): Times => ({ every: ms });
  assertEquals([1_000, 1_699, 1_700, 2_400].map((after) => dueAfter(every(700), 1_000, after)), [
    1_700,
    1_700,
    2_400,
    3_100,
  ]);
  assertEquals(dueAfter(every(700), 1_000, 0), 1_700); // A clock that was set back.
  assertEquals([1_700, 1_701, 2_400, 2_401].map((before) => dueBefore(every(700), 1_000, before)), [
    undefined,
    1_700,
    1_700,
    2_400,
  ]);
});

Deno.test("times of a cron expression begin after the anchor", () => {
  const hourly: Times = { cron: "0 * * * *", timeZone: "UTC" };
  const hour = 3_600_000;
  assertEquals(
    [0, 5 * hour, 6 * hour].map((after) => dueAfter(hourly, 5 * hour, after)),
    [6, 6, 7].map((at) => at * hour),
  );
  assertEquals([6 * hour, 6 * hour + 1].map((before) => dueBefore(hourly, 5 * hour, before)), [undefined, 6 * hour]);
});

Deno.test("an invalid expression or time zone is refused, and so is a time that never comes", () => {
  const refusal = (times: Times) => assertThrows(() => checkTimes(times, "report"), DefinitionError).message;
  for (const cron of ["", "often", "61 * * * *", "* * * *", "0 0 31 2 *", "0 0 0 1 1 * 2020", "2030-01-01T00:00:00"]) {
    assertEquals(refusal({ cron, timeZone: "UTC" }).startsWith("Cannot schedule report"), true, cron);
  }
  for (const cron of ["* * * *", "0 0 0 1 1 * 2099", "@daily 0 0 0 1 1 *"]) {
    assertStringIncludes(
      refusal({ cron, timeZone: "UTC" }),
      "a cron expression has five fields, or six with seconds first.",
    );
  }
  // croner would take the time zone of the machine for an empty name.
  for (const timeZone of ["Europe/Atlantis", ""]) {
    assertEquals(
      refusal({ cron: "0 3 * * *", timeZone }),
      `Cannot schedule report at "0 3 * * *" in the time zone "${timeZone}": name one of the IANA database, such as ` +
        '"UTC" or "Europe/Berlin".',
    );
  }
  checkTimes({ cron: "*/5 * * * * *", timeZone: "UTC" }, "report");
  checkTimes({ cron: "@daily", timeZone: "Asia/Kathmandu" }, "report");
});
