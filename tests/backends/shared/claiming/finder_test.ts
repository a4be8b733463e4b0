import type { Entry, Queue } from "../../../../backend.ts";
import type { LimitedTasks } from "../../../../src/backends/shared/store/store.ts";
import { Finder } from "../../../../src/backends/shared/claiming/finder.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";

const LIMITS = { concurrency: 1 };

/** A task of a job that is ready. */
const ready = (job: string): Entry => ({ record: change.created(newTask({ job }), 1) });

/** Finds tasks of jobs with limits, which `limited` finds, and of others, which `all` finds. */
function finderOf(jobs: readonly string[], limited: Queue["limited"], all: readonly Entry[] = []): Finder {
  const queue: Queue = {
    promote: () => Promise.resolve(undefined),
    ready: () => Promise.resolve({ entries: all, more: false }),
    limited,
  };
  return new Finder(queue, new Map(jobs.map((job) => [job, LIMITS])));
}

Deno.test("what was found before a search fails is returned, because it may be claimed already", async () => {
  const entry = ready("one");
  const finder = finderOf(["one", "two"], (_max, _held, job) => {
    if (job === "two") return Promise.reject(new Error("away"));
    return Promise.resolve({ entries: [entry], more: false, full: false });
  });
  assertEquals(await finder.find(8, [], ["one", "two"]), { entries: [entry], more: true, pause: Infinity });
  await assertRejects(() => finder.find(8, [], ["two"]), Error, "away");
});

Deno.test("what is found of one job counts as held for the next one, and the shortest pause of all is returned", async () => {
  const [first, second] = [ready("one"), ready("two")];
  const heldFor: { [job: string]: readonly string[] } = {};
  const finder = finderOf(["one", "two"], (_max, held, job) => {
    heldFor[job] = held.map(({ id }) => id);
    const [entries, pause] = job === "one" ? [[first], 70] : [[second], 90];
    return Promise.resolve({ entries, more: false, full: false, pause });
  });
  const held = ready("one").record.info;
  assertEquals(await finder.find(8, [held], ["one", "two"]), { entries: [first, second], more: false, pause: 70 });
  assertEquals(heldFor, { one: [held.id], two: [held.id, first.record.info.id] });
});

Deno.test("a task that ends, parks, fails or is handed back frees the slot that others of its job wait for", async () => {
  const finder = finderOf(["one"], () => Promise.resolve({ entries: [], more: false, full: true }));
  const running = change.claimed(ready("one").record, "worker", 2);
  const retry = { attempts: 2, delay: 10, maxDelay: 10 };
  const asking = change.asked(running, [{ key: "q", message: "?", schema: {} }], 3);
  const ends = [
    change.settled(running, { kind: "value", value: 1 }, 3, 0).record,
    change.parked(asking, { keys: ["q"] }, 4).record,
    change.handedBack(running, false, [], 3).record,
    change.settled({ ...running, retry }, { kind: "error", message: "no", retry: true }, 3, 0).record,
  ];
  const frees = ({ info }: change.TaskRecord) => finder.freesSlot(info);
  assertEquals(ends.map(frees), [false, false, false, false]); // Nobody waits.
  await finder.find(8, [], ["one"]);
  assertEquals([...ends, running, asking].map(frees), [true, true, true, true, false, false]);
  assertEquals(frees(change.handedBack(change.claimed(ready("two").record, "worker", 2), false, [], 3).record), false);
});

Deno.test("a task that ends while a search is under way frees a slot: the search may not know of it", async () => {
  const [begun, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<LimitedTasks>()];
  const finder = finderOf(["one"], () => (begun.resolve(), answer.promise));
  const { info } =
    change.settled(change.claimed(ready("one").record, "worker", 2), { kind: "value", value: 1 }, 3, 0).record;
  const finding = finder.find(8, [], ["one"]);
  await begun.promise;
  assertEquals(finder.freesSlot(info), true);
  answer.resolve({ entries: [], more: false, full: false });
  await finding;
  assertEquals(finder.freesSlot(info), false);
});
