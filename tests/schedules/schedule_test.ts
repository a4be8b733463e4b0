import {
  decide as decideSeen,
  declared,
  infoOf,
  LATE_MS,
  type Schedule,
  served,
  TAKEOVER_DELAY_MS,
  withPause,
} from "../../src/schedules/schedule.ts";
import { assertEquals } from "../../tools/std.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-11-28T12:00:00Z");
const declaration = {
  job: "report",
  owner: "ann",
  input: {},
  times: { cron: "0 * * * *", timeZone: "UTC" },
  catchUp: true,
} as const;
/** What a server decides that has seen the next due time since its start. */
const decide = (schedule: Schedule, now: number, since: number) => decideSeen(schedule, now, since, since);
const hourly: Schedule = { ...declaration, paused: false, anchor: START, nextAt: START };

Deno.test("a schedule waits for its next due time, creates its task, and goes on to the time after that", () => {
  assertEquals(decide(hourly, START - 1, 0), { kind: "wait", until: START });
  assertEquals(decide(hourly, START, 0), { kind: "create", dueAt: START });
  const next = served(hourly, START, "task-1");
  assertEquals(next, { ...hourly, nextAt: START + HOUR, last: { dueAt: START, task: "task-1" } });
  assertEquals(decide(next, START, 0), { kind: "wait", until: START + HOUR });
});

Deno.test("a server that ran all the time creates a task for each due time, though it is late", () => {
  const everySecond = { ...hourly, times: { every: 1_000 }, anchor: START - 1_000 };
  let schedule: Schedule = everySecond;
  const due: number[] = [];
  const now = START + 5_500; // It was busy for 5 s.
  for (let decision = decide(schedule, now, START - HOUR); decision.kind !== "wait";) {
    due.push(decision.dueAt);
    schedule = served(schedule, decision.dueAt, "task");
    decision = decide(schedule, now, START - HOUR);
  }
  assertEquals(due, [0, 1, 2, 3, 4, 5].map((second) => START + 1_000 * second));
});

Deno.test("of the due times of a downtime only the last one is made up for, after other servers had time to do so", () => {
  const since = START + 5 * HOUR + 60_000;
  assertEquals(decide(hourly, since, since), { kind: "wait", until: since + TAKEOVER_DELAY_MS });
  assertEquals(decide(hourly, since + TAKEOVER_DELAY_MS, since), { kind: "create", dueAt: START + 5 * HOUR });
  assertEquals(served(hourly, START + 5 * HOUR, "task").nextAt, START + 6 * HOUR);
});

Deno.test("a server that starts at once after another has died serves the due time between them, with or without catch-up", () => {
  for (const catchUp of [true, false]) {
    assertEquals(decide({ ...hourly, catchUp }, START + 900, START + 900), { kind: "create", dueAt: START });
  }
});

Deno.test("a due time just after the start of a server makes up for the earlier ones", () => {
  const since = START + 5 * HOUR - 1_000;
  assertEquals(decide(hourly, since + TAKEOVER_DELAY_MS, since), { kind: "create", dueAt: START + 5 * HOUR });
});

Deno.test("without catch-up, the due times of a downtime are left out", () => {
  const since = START + 5 * HOUR + 60_000;
  const decision = decide({ ...hourly, catchUp: false }, since + TAKEOVER_DELAY_MS, since);
  assertEquals(decision, { kind: "skip", dueAt: START + 5 * HOUR });
  assertEquals(served(hourly, START + 5 * HOUR, undefined), { ...hourly, nextAt: START + 6 * HOUR, last: undefined });
});

Deno.test("a server whose machine has slept makes up for the last due time only", () => {
  assertEquals(decide(hourly, START + 5 * HOUR + LATE_MS, 0), { kind: "create", dueAt: START + 5 * HOUR });
  assertEquals(decide(hourly, START + 5 * HOUR + LATE_MS + 1, 0), { kind: "create", dueAt: START + 5 * HOUR });
  assertEquals(decide(hourly, START + LATE_MS, 0), { kind: "create", dueAt: START });
});

Deno.test("a paused schedule waits, and leaves out what was due in the pause", () => {
  const paused = withPause(hourly, true, START - 1);
  assertEquals(decide(paused, START + HOUR, 0), { kind: "wait", until: Infinity });
  assertEquals(infoOf("report", paused).nextAt, undefined);
  const resumed = withPause(paused, false, START + 3 * HOUR + 1);
  assertEquals(decide(resumed, START + 3 * HOUR + 1, 0), { kind: "wait", until: START + 4 * HOUR });
  assertEquals(withPause(hourly, false, START + HOUR), hourly);
});

Deno.test("a server that declares a schedule again keeps its next due time, unless the times are others", () => {
  const stored = { ...hourly, paused: true, last: { dueAt: START - HOUR, task: "task-1" } };
  const now = START + 10 * HOUR;
  assertEquals(declared(declaration, stored, now), stored);
  assertEquals(declared({ ...declaration, input: { a: 1 } }, stored, now), { ...stored, input: { a: 1 } });
  const times = { every: 500 };
  assertEquals(declared({ ...declaration, times }, stored, now), { ...stored, times, anchor: now, nextAt: now + 500 });
  const fresh = declared(declaration, undefined, START);
  assertEquals(fresh, { ...hourly, anchor: START, nextAt: START + HOUR, last: undefined });
});

Deno.test("a due time that nobody has served yet remains when another version of the program changes the times", () => {
  const times = { cron: "30 * * * *", timeZone: "UTC" };
  const changed = declared({ ...declaration, times }, hourly, START);
  assertEquals(decide(changed, START, START), { kind: "create", dueAt: START });
  assertEquals(served(changed, START, "task").nextAt, START + HOUR / 2);
});

Deno.test("a due time of a downtime is made up for once, as that time, when the next server declares other times", () => {
  const now = START + 5 * HOUR + 30 * 60_000;
  for (const times of [{ cron: "*/30 * * * *", timeZone: "UTC" }, { every: HOUR / 2 }]) {
    for (const catchUp of [true, false]) {
      const changed = declared({ ...declaration, times, catchUp }, hourly, now);
      const decision = decide(changed, now + TAKEOVER_DELAY_MS, now);
      assertEquals(decision, { kind: catchUp ? "create" : "skip", dueAt: START });
      assertEquals(served(changed, START, "task").nextAt, START + 6 * HOUR);
    }
  }
});

Deno.test("a due time of the new times makes up for one of a downtime that was due by the earlier ones", () => {
  const now = START + 5 * HOUR + 30 * 60_000;
  const changed = declared({ ...declaration, times: { cron: "*/2 * * * * *", timeZone: "UTC" } }, hourly, now);
  assertEquals(decide(changed, now + TAKEOVER_DELAY_MS, now), { kind: "create", dueAt: now + 2_000 });
});

Deno.test("what was due in a pause is left out when the times change in it", () => {
  const times = { every: 500 };
  const changed = declared({ ...declaration, times }, withPause(hourly, true, START - 1), START + HOUR);
  assertEquals(withPause(changed, false, START + HOUR).nextAt, START + HOUR + 500);
});

Deno.test("no due time comes again where the clock of who resumes a schedule, or changes its times, is slow", () => {
  const last = { dueAt: START, task: "task-1" };
  const paused = { ...hourly, paused: true, nextAt: START + HOUR, last };
  assertEquals(withPause(paused, false, START - 2 * HOUR).nextAt, START + HOUR);
  const times = { cron: "*/30 * * * *", timeZone: "UTC" };
  assertEquals(
    declared({ ...declaration, times }, { ...paused, paused: false }, START - 2 * HOUR).nextAt,
    START + HOUR / 2,
  );
});
