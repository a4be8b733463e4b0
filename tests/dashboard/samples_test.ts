import { perMinute } from "../../src/dashboard/page/overview.js";
import { Samples } from "../../src/dashboard/samples.ts";
import { assertEquals } from "../../tools/std.ts";
import { countsOf, taskOf } from "./support/tasks.ts";

const ended = (status: "COMPLETED" | "FAILED" | "CANCELLED") =>
  ({ kind: "change", task: taskOf({ status, finishedAt: 2_000 }) }) as const;

Deno.test("a sample has how many tasks wait and run, how many ended since the last, and how many must have been created", () => {
  const samples = new Samples(0);
  samples.sample([countsOf({ PENDING: 3, RUNNING: 2, COMPLETED: 10 })], 0);
  samples.observe({ kind: "change", task: taskOf() });
  samples.observe({ kind: "gap" });
  for (const status of ["COMPLETED", "COMPLETED", "FAILED", "CANCELLED"] as const) samples.observe(ended(status));
  // Five were alive. Four of them ended, and six are alive now: five are new.
  samples.sample([countsOf({ PENDING: 2, RETRYING: 1 }), countsOf({ RUNNING: 2, INPUT_REQUIRED: 1 }, "other")], 10_000);
  samples.sample([countsOf({ PENDING: 6 })], 20_000);
  assertEquals(samples.all, [
    { at: 0, ms: 0, waiting: 3, running: 2, created: 0, completed: 0, failed: 0 },
    { at: 10_000, ms: 10_000, waiting: 3, running: 2, created: 5, completed: 2, failed: 1 },
    { at: 20_000, ms: 10_000, waiting: 6, running: 0, created: 0, completed: 0, failed: 0 },
  ]);
});

Deno.test("no sample has a negative number of new tasks, where the end of one is counted before its event comes", () => {
  const samples = new Samples(0);
  samples.sample([countsOf({ RUNNING: 2 })], 0);
  samples.sample([countsOf({ RUNNING: 1, COMPLETED: 1 })], 10_000);
  assertEquals(samples.all.map(({ created }) => created), [0, 0]);
});

Deno.test("the samples of the last hour are kept, and no older ones", () => {
  const samples = new Samples(0);
  for (let at = 0; at <= 4_000_000; at += 10_000) samples.sample([], at);
  assertEquals([samples.all.length, samples.all[0]?.at, samples.all.at(-1)?.at], [360, 410_000, 4_000_000]);
});

Deno.test("the rates are those of the time that was sampled, also where it is shorter than a minute, or a sample was left out", () => {
  const samples = new Samples(0);
  const rates = () => {
    const rate = perMinute(samples.all, "completed");
    return [rate.now, ...rate.points.map(({ value }) => value)];
  };
  samples.sample([], 0);
  assertEquals(rates(), [0, 0]);
  for (let task = 0; task < 3; task++) samples.observe(ended("COMPLETED"));
  samples.sample([], 10_000);
  assertEquals(rates(), [18, 0, 18]);
  for (let task = 0; task < 12; task++) samples.observe(ended("COMPLETED"));
  // The counting in between has failed.
  samples.sample([], 50_000);
  assertEquals(rates(), [18, 0, 18, 18]);
  samples.sample([], 100_000);
  assertEquals(rates(), [8, 0, 18, 18, 0]);
});
