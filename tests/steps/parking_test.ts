import { TaskParked, WorkerStopping } from "../../src/errors.ts";
import { Parking } from "../../src/steps/parking.ts";
import { LONGEST_TIMER_MS } from "../../src/waiting.ts";
import { assertEquals, assertRejects, FakeTime } from "../../tools/std.ts";
import { pass, PassingTime } from "../support/time.ts";
import { SetClock } from "../support/set_clock.ts";

Deno.test("a short sleep that the clock, which is set back, makes long does not keep its worker", async () => {
  await using _time = new PassingTime();
  let now = 0;
  const controller = new AbortController();
  const parked: (number | undefined)[] = [];
  const claim = {
    ask: () => Promise.reject(new Error("Nothing is asked.")),
    now: () => now,
    park: (until?: number) => {
      parked.push(until);
      controller.abort(new TaskParked());
      return Promise.resolve();
    },
    signal: controller.signal,
    stored: () => Promise.resolve(),
  };
  const parking = new Parking(claim, 10_000);
  const wait = await parking.sleep(() => Promise.resolve(8_000), false);
  const slept = wait?.() ?? Promise.resolve();
  now = -3_600_000;
  await assertRejects(() => slept, TaskParked);
  assertEquals(parked, [8_000]);
});

/** A claim of code that asks nothing, and how often it is parked. */
function sleepingClaim(signal: AbortSignal) {
  let parks = 0;
  return {
    ask: () => Promise.reject(new Error("Nothing is asked.")),
    now: () => 0,
    park: () => Promise.resolve(void parks++),
    signal,
    stored: () => Promise.resolve(),
    get parks() {
      return parks;
    },
  };
}

Deno.test("a worker that stops does not park a task for a sleep that its code may have left behind", async () => {
  const controller = new AbortController();
  const claim = sleepingClaim(controller.signal);
  const parking = new Parking(claim, Infinity);
  const wait = await parking.sleep(() => Promise.resolve(3_600_000), false);
  const slept = wait?.() ?? Promise.resolve();
  parking.noteEnd(); // A step beside it.
  controller.abort(new WorkerStopping());
  await assertRejects(() => slept, WorkerStopping);
  assertEquals(claim.parks, 0);
});

Deno.test("code that only sleeps, a second after what it did beside that has ended, counts as waiting", async () => {
  const parking = new Parking(sleepingClaim(new AbortController().signal), Infinity);
  const wait = await parking.sleep(() => Promise.resolve(3_600_000), false);
  const slept = wait?.() ?? Promise.resolve();
  assertEquals(parking.waits, true);
  parking.noteEnd();
  assertEquals(parking.waits, false);
  using _clock = new SetClock(1_000, performance);
  assertEquals(parking.waits, true);
  parking.end();
  await assertRejects(() => slept, Error, "The attempt is over.");
});

Deno.test("a task whose worker stops just as its code begins to sleep is parked after the step that runs beside it", async () => {
  const controller = new AbortController();
  const claim = sleepingClaim(controller.signal);
  const parking = new Parking(claim, 0);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const step = parking.duringStep(() => ended.then(() => claim.parks));
  const wait = await parking.sleep(() => Promise.resolve(3_600_000), false);
  controller.abort(new WorkerStopping());
  const slept = wait?.() ?? Promise.resolve();
  resolve();
  await assertRejects(() => slept, WorkerStopping);
  assertEquals([await step, claim.parks], [0, 1]);
});

Deno.test("a sleep inside a step does not park the task of a worker that stops just then: the step would wait for itself", async () => {
  const controller = new AbortController();
  const claim = sleepingClaim(controller.signal);
  const parking = new Parking(claim, 0);
  const step = parking.duringStep(async () => {
    const wait = await parking.sleep(() => Promise.resolve(3_600_000), true);
    controller.abort(new WorkerStopping());
    await wait?.();
  });
  await assertRejects(() => step, WorkerStopping);
  assertEquals(claim.parks, 0);
});

Deno.test("a question that the code has left behind while it was prepared does not park the task at once", async () => {
  await using _time = new PassingTime();
  const claim = { ...sleepingClaim(new AbortController().signal), ask: () => new Promise<never>(() => {}) };
  const parked: number[] = [];
  const parking = new Parking({ ...claim, park: () => Promise.resolve(void parked.push(Date.now())) }, 0);
  const { promise: prepared, resolve } = Promise.withResolvers<void>();
  const asking = parking.asking(prepared);
  await parking.duringStep(() => Promise.resolve());
  parking.noteEnd(); // The other part of a race.
  resolve();
  const ask = await asking;
  const begun = Date.now();
  await assertRejects(() => ask({ key: "key", message: "Which?", schema: {} }), Error, "The attempt is over.");
  assertEquals(parked.map((at) => at - begun), [1_000]);
});

Deno.test("a worker that begins to stop does not park a task whose waits never park", async () => {
  const { promise: answered, resolve } = Promise.withResolvers<{ readonly action: "decline" }>();
  const claim = { ...sleepingClaim(new AbortController().signal), ask: () => answered };
  const [park, stopping] = [Promise.withResolvers<void>(), new AbortController()];
  const parking = new Parking({ ...claim, park: () => Promise.resolve(park.resolve()) }, Infinity, stopping.signal);
  const ask = await parking.asking(Promise.resolve());
  const asked = ask({ key: "key", message: "Which?", schema: {} });
  await claim.stored();
  stopping.abort();
  resolve({ action: "decline" });
  assertEquals(await Promise.race([asked, park.promise]), { action: "decline" });
});

Deno.test("a task that sleeps several times at once is parked until the first sleep is over", async () => {
  const controller = new AbortController();
  const parked: (number | undefined)[] = [];
  const claim = {
    ...sleepingClaim(controller.signal),
    park: (until?: number) => {
      parked.push(until);
      controller.abort(new TaskParked());
      return Promise.resolve();
    },
  };
  const parking = new Parking(claim, 0);
  const waits = [];
  for (const until of [7_200_000, 3_600_000, 10_800_000]) {
    waits.push(await parking.sleep(() => Promise.resolve(until), false));
  }
  await Promise.all(waits.map((wait) => assertRejects(async () => await wait?.(), TaskParked)));
  assertEquals(parked, [3_600_000]);
});

Deno.test("a sleep of 40 days that keeps its worker does not read the clock without pause", async () => {
  using time = new FakeTime(0);
  const { promise: again, resolve } = Promise.withResolvers<void>();
  let reads = 0;
  const now = () => {
    if (++reads > 3) resolve();
    return Date.now();
  };
  const parking = new Parking({ ...sleepingClaim(new AbortController().signal), now }, Infinity);
  const wait = await parking.sleep(() => Promise.resolve(40 * 24 * 3_600_000), false);
  const slept = wait?.() ?? Promise.resolve();
  await pass(time, again);
  assertEquals(time.now, LONGEST_TIMER_MS);
  parking.end();
  await assertRejects(() => slept, Error, "The attempt is over.");
});
