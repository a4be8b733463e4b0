import { sweepExpired } from "../../../src/backends/bullmq/sweeper.ts";
import type { Snapshot } from "../../../src/backends/bullmq/snapshot.ts";
import { newTaskId } from "../../../src/ids.ts";
import { ignored, Reported } from "../../support/errors.ts";
import { assertEquals, FakeTime } from "../../../tools/std.ts";
import { pass } from "../../support/time.ts";
import { newTask } from "../../support/tasks.ts";
import { newSnapshot } from "../support/snapshots.ts";

function expired(id: string): Snapshot {
  return { ...newSnapshot(newTask({ id, resultTtl: 1 }), "job", 1), expired: true };
}

Deno.test("a task that cannot be read is postponed, and the others expire", async () => {
  using time = new FakeTime();
  const [bad = "", good = ""] = [newTaskId(), newTaskId()];
  const done: string[] = [];
  const both = Promise.withResolvers<void>();
  const did = (what: string) => void (done.push(what) === 2 && both.resolve());
  await using _sweeper = sweepExpired({
    due: () => Promise.resolve(done.length === 0 ? [bad, good] : []),
    read: (id) =>
      id === bad ? Promise.reject(new SyntaxError("Unexpected end of JSON input")) : Promise.resolve(expired(id)),
    expire: ({ id }) => Promise.resolve(did(`${id} expires`)).then(() => true),
    postpone: (id) => Promise.resolve(did(`${id} later`)),
  }, ignored);
  await pass(time, both.promise);
  assertEquals(done.toSorted(), [`${bad} later`, `${good} expires`].toSorted());
});

Deno.test("closing a sweeper waits for every check under way, although one of them has failed", async () => {
  using time = new FakeTime();
  const [bad, slow] = [newTaskId(), newTaskId()];
  const reading = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Snapshot | undefined>();
  const order: string[] = [];
  const sweeper = sweepExpired({
    due: () => Promise.resolve([bad, slow]),
    read: (id) => {
      if (id === slow) reading.resolve();
      return id === bad ? Promise.reject(new Error("Redis is away.")) : answer.promise;
    },
    expire: () => Promise.resolve(order.push("checked")).then(() => true),
    postpone: () => Promise.reject(new Error("Redis is away.")),
  }, ignored);
  await pass(time, reading.promise);
  const closed = sweeper[Symbol.asyncDispose]().then(() => order.push("closed"));
  await time.runMicrotasks();
  answer.resolve(expired(slow));
  await closed;
  assertEquals(order, ["checked", "closed"]);
});

Deno.test("a sweep that fails because all is closed reports nothing", async () => {
  using time = new FakeTime();
  const reading = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<never>();
  const reported = new Reported();
  const sweeper = sweepExpired({
    due: () => Promise.resolve([newTaskId()]),
    read: () => {
      reading.resolve();
      return closed.promise;
    },
    expire: () => closed.promise,
    postpone: () => closed.promise,
  }, reported.onError);
  await pass(time, reading.promise);
  const ended = sweeper[Symbol.asyncDispose]();
  closed.reject(new Error("The connection is closed."));
  await ended;
  assertEquals(reported.all, []);
});

Deno.test("an expired task whose job still runs, and a task that is gone, are not checked again at once", async () => {
  using time = new FakeTime();
  const [runs, gone] = [newTaskId(), newTaskId()];
  const later = new Map<string, number>();
  const both = Promise.withResolvers<void>();
  await using _sweeper = sweepExpired({
    due: () => Promise.resolve(later.size === 0 ? [runs, gone] : []),
    read: (id) => Promise.resolve(id === gone ? undefined : expired(id)),
    expire: () => Promise.resolve(false),
    postpone: (id, ms) => {
      if (later.set(id, ms).size === 2) both.resolve();
      return Promise.resolve();
    },
  }, ignored);
  await pass(time, both.promise);
  assertEquals([later.get(runs), later.get(gone)], [60_000, Infinity]);
});

Deno.test("a parked task is checked once a day, or when its sleep is over", async () => {
  using time = new FakeTime();
  const [HOUR, DAY] = [3_600_000, 86_400_000];
  const dues: { readonly [id: string]: number | undefined } = { asks: undefined, naps: 1 + HOUR, sleeps: 1 + 9 * DAY };
  const later: { [id: string]: number } = {};
  const all = Promise.withResolvers<void>();
  await using _sweeper = sweepExpired({
    due: () => Promise.resolve(later.asks === undefined ? Object.keys(dues) : []),
    read: (id) => {
      const parked = { expired: false, state: "delayed", started: 1, parkedRun: 1, dueAt: dues[id], resultTtl: HOUR };
      return Promise.resolve({ ...expired(id), ...parked } as Snapshot);
    },
    expire: () => Promise.reject(new Error("It has not expired.")),
    postpone: (id, ms) => {
      later[id] = ms;
      if (Object.keys(later).length === 3) all.resolve();
      return Promise.resolve();
    },
  }, ignored);
  await pass(time, all.promise);
  assertEquals(later, { asks: DAY, naps: HOUR + 600_000, sleeps: DAY });
});
