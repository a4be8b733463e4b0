import type { Queue } from "../../../../backend.ts";
import { Delayed } from "../../../../src/backends/shared/claiming/delayed.ts";
import { claimed, created, settled } from "../../../../src/backends/shared/record.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";

const NOW = 1_000;

/** Delayed tasks of a store at the time `NOW`, whose queue promotes as a case says. */
function delayedWith(promote: Queue["promote"]): Delayed {
  const nothing = () => Promise.resolve({ entries: [], more: false });
  return new Delayed({ now: () => NOW }, { promote, ready: nothing });
}

/** The event of a task that is due at a time. */
function dueAt(time: number) {
  return { kind: "change", task: created(newTask({ delay: time - NOW }), NOW).info } as const;
}

Deno.test("a delayed task whose event comes while others are made ready is due at its time", async () => {
  const delayed = delayedWith(() => {
    delayed.receive(dueAt(NOW + 50));
    return Promise.resolve(undefined);
  });
  assertEquals(await delayed.promote(), 50);
});

Deno.test("due tasks that could not be made ready are made ready by the next call", async () => {
  const answers = [NOW, undefined, NOW + 70];
  const delayed = delayedWith(() => {
    const next = answers.shift();
    return next === undefined ? Promise.reject(new Error("away")) : Promise.resolve(next);
  });
  await delayed.promote();
  await assertRejects(() => delayed.promote(), Error, "away");
  assertEquals([await delayed.promote(), answers], [70, []]);
});

Deno.test("delayed tasks are read again only once one is due, or events may have been missed", async () => {
  let calls = 0;
  const delayed = delayedWith(() => Promise.resolve(NOW + 70 + calls++));
  await delayed.promote();
  assertEquals([await delayed.promote(), calls], [70, 1]);
  delayed.receive(dueAt(NOW + 90));
  delayed.receive({ kind: "change", task: claimed(created(newTask(), NOW), "worker", NOW).info });
  assertEquals([await delayed.promote(), calls], [70, 1]);
  const attempt = { kind: "error", message: "no luck", retry: true } as const;
  const retry = { attempts: 2, delay: 30, maxDelay: 30 };
  const { record } = settled(claimed(created(newTask({ retry }), NOW), "worker", NOW), attempt, NOW, 1);
  delayed.receive({ kind: "change", task: record.info });
  assertEquals([await delayed.promote(), calls], [30, 1]);
  delayed.receive({ kind: "gap" });
  assertEquals([await delayed.promote(), calls], [71, 2]);
});
