import { BackendError } from "../../../../mod.ts";
import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import { Hub } from "../../../../src/backends/shared/store/hub.ts";
import { Lease } from "../../../../src/backends/shared/claiming/lease.ts";
import type { WorkerLease } from "../../../../src/backends/shared/store/store.ts";
import { StoreLost } from "../../../../src/errors.ts";
import { doneWithin, pause } from "../../../../src/waiting.ts";
import { ignored } from "../../../support/errors.ts";
import { PassingTime } from "../../../support/time.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";

/** A lease that no timer renews while a test runs. */
function leaseOf(own: Partial<WorkerLease>, store: MemoryStore = new MemoryStore(new Hub())): Lease {
  const nothing = () => Promise.resolve();
  const lease = { duration: 600_000, renew: nothing, dead: () => Promise.resolve([]), end: nothing, ...own };
  return new Lease(store, lease, () => {}, ignored);
}

Deno.test("a worker that starts while its store is away is ready once the store is back", async () => {
  await using _time = new PassingTime();
  let away = 1;
  await using lease = leaseOf({
    renew: () => away-- > 0 ? Promise.reject(new BackendError("The store is away.")) : Promise.resolve(),
  });
  await lease.ready;
  assertEquals(away, -1);
});

Deno.test("a worker whose store is gone for good, or that is closed before it could start, is never ready", async () => {
  await using _time = new PassingTime();
  await using lost = leaseOf({ renew: () => Promise.reject(new StoreLost("The store is gone.")) });
  await assertRejects(() => lost.ready, StoreLost);
  const failed = Promise.withResolvers<void>();
  const closed = leaseOf({
    renew: () => {
      failed.resolve();
      return Promise.reject(new BackendError("The store is away."));
    },
  });
  await failed.promise;
  const [end] = await Promise.allSettled([closed.ready, closed[Symbol.asyncDispose]()]);
  assertEquals(end.status === "rejected" && end.reason instanceof BackendError, true);
});

Deno.test("a worker closes though its store does not answer", async () => {
  await using _time = new PassingTime();
  const answer = Promise.withResolvers<void>();
  const lease = leaseOf({ end: () => answer.promise });
  await lease.ready;
  const closed = lease[Symbol.asyncDispose]();
  assertEquals(await doneWithin(closed, 10_000), true);
  answer.resolve();
});

Deno.test("a worker that is closed while its lease is being stored ends the lease after that", async () => {
  const [stored, calls] = [Promise.withResolvers<void>(), [] as string[]];
  const lease = leaseOf({
    renew: () => stored.promise.then(() => void calls.push("stored")),
    end: () => Promise.resolve(void calls.push("ended")),
  });
  const closed = lease[Symbol.asyncDispose]();
  await pause(0); // What it calls at once is called.
  stored.resolve();
  await Promise.allSettled([closed, lease.ready]);
  assertEquals(calls, ["stored", "ended"]);
});

Deno.test("a worker that is closed while its lease is being stored takes over no tasks of dead workers", async () => {
  const stored = Promise.withResolvers<void>();
  let looked = false;
  const lease = leaseOf({
    renew: () => stored.promise,
    dead: () => {
      looked = true;
      return Promise.resolve([]);
    },
  });
  const closed = lease[Symbol.asyncDispose]();
  stored.resolve();
  await Promise.allSettled([closed, lease.ready]);
  assertEquals(looked, false);
});

Deno.test("a worker whose store was away for longer than a lease takes over nothing before others could renew theirs", async () => {
  const clock = { now: 0 };
  const store = new class extends MemoryStore {
    override now(): number {
      return clock.now;
    }
  }(new Hub());
  let isAway = false;
  const taken: number[] = [];
  await using lease = leaseOf({
    dead: () => {
      if (isAway) return Promise.reject(new BackendError("The store is away."));
      return Promise.resolve([{ name: "other", tasks: [], remove: () => Promise.resolve(void taken.push(clock.now)) }]);
    },
  }, store);
  await lease.ready;
  isAway = true;
  for (clock.now = 300_000; clock.now <= 900_000; clock.now += 300_000) {
    await assertRejects(() => lease.recover(), BackendError);
  }
  isAway = false;
  await lease.recover();
  clock.now += 300_000;
  await lease.recover();
  assertEquals(taken, [0, 1_500_000]);
});
