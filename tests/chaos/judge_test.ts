import { begunWithin, excesses, mostAtOnce, runsOf } from "../../chaos/steering/judge.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test("a run that has not reported its end lasts until its process has ended", () => {
  const line = (kind: "begin" | "end", task: string, at: number, job = "limited") => ({ kind, job, task, at });
  const witnesses = [
    {
      events: [line("begin", "a", 1), line("begin", "b", 2), line("end", "a", 5), line("begin", "c", 3, "held")],
      over: 9,
    },
    { events: [line("begin", "b", 20)], over: 30 },
  ];
  assertEquals(runsOf("limited", witnesses), [
    { task: "a", from: 1, to: 5, ended: true },
    { task: "b", from: 2, to: 9, ended: false },
    { task: "b", from: 20, to: 30, ended: false },
  ]);
});

Deno.test("each run of a task that ran twice in one process has its own end", () => {
  const line = (kind: "begin" | "end", at: number) => ({ kind, job: "limited", task: "a", at });
  // Its first end could not be stored.
  const events = [line("begin", 1), line("end", 3), line("begin", 8), line("end", 10)];
  assertEquals(runsOf("limited", [{ events, over: 20 }]), [
    { task: "a", from: 1, to: 3, ended: true },
    { task: "a", from: 8, to: 10, ended: true },
  ]);
});

Deno.test("a run that begins as another one ends does not count as simultaneous, and runs that overlap do", () => {
  assertEquals(mostAtOnce([{ from: 1, to: 3 }, { from: 3, to: 5 }]), 1);
  assertEquals(mostAtOnce([{ from: 1, to: 4 }, { from: 3, to: 5 }, { from: 2, to: 6 }]), 3);
  assertEquals(mostAtOnce([]), 0);
});

Deno.test("of a run that begins beside too many others all are named", () => {
  const runs = [[1, 4], [3, 5], [4, 6], [7, 8]].map(([from = 0, to = 0]) => ({
    task: `${from}`,
    from,
    to,
    ended: true,
  }));
  assertEquals(excesses(runs, 1), [runs.slice(0, 2), runs.slice(1, 3)]);
  assertEquals(excesses(runs, 2), []);
});

Deno.test("a run counts as begun during a pause from its first moment on, and not at its end", () => {
  const runs = [{ from: 1, to: 9 }, { from: 5, to: 6 }, { from: 7, to: 8 }];
  assertEquals(begunWithin(runs, [{ from: 5, to: 7 }]), 1);
});
