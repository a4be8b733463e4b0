/** What tests rely on of `FakeTime`, be it that of @std or what stands in for it, and of the time that passes by itself. */
import { assert, assertEquals, assertRejects, assertThrows, FakeTime } from "../../tools/std.ts";
import { newTaskId } from "../../src/ids.ts";
import { PassingTime } from "../support/time.ts";

Deno.test("fake time passes only when it is told to, and timers run in the order in which they are due", async () => {
  const real = [Date, setTimeout, clearTimeout, setInterval, clearInterval, AbortSignal.timeout];
  {
    using time = new FakeTime(1_000_000);
    const ran: unknown[] = [];
    setTimeout((name: string) => ran.push([name, Date.now()]), 30, "third");
    setTimeout(() => ran.push(["second", new Date().getTime()]), 20);
    setTimeout(() => {
      ran.push(["first", Date.now()]);
      setTimeout(() => ran.push(["set by the first", Date.now()]), 10);
    }, 10);
    clearTimeout(setTimeout(() => ran.push("cleared"), 5));
    await time.tickAsync(29);
    assertEquals(ran, [["first", 1_000_010], ["second", 1_000_020], ["set by the first", 1_000_020]]);
    time.tick(1);
    assertEquals([ran.length, time.now, Date.now()], [4, 1_000_030, 1_000_030]);
    assert(new Date() instanceof Date && new Date(5).getTime() === 5);
    assertThrows(() => new FakeTime(), Error, "time is already faked");
  }
  assertEquals([Date, setTimeout, clearTimeout, setInterval, clearInterval, AbortSignal.timeout], real);
});

Deno.test("an interval of fake time runs until it is cleared, and a signal times out", async () => {
  using time = new FakeTime();
  let runs = 0;
  const interval = setInterval(() => runs++, 100);
  const signal = AbortSignal.timeout(1_000);
  time.tick(999);
  assertEquals([runs, signal.aborted], [9, false]);
  assertEquals(await time.nextAsync(), true);
  clearInterval(interval);
  time.tick(10_000);
  assertEquals([runs, signal.reason.name], [10, "TimeoutError"]);
  assertEquals(time.next(), false);
});

Deno.test("time that passes by itself moves on once nothing else is left to do, and the next one begins no earlier than the last id was made", async () => {
  const began: number[] = [];
  for (const _ of [1, 2]) {
    await using _time = new PassingTime();
    began.push(Date.now());
    const done: string[] = [];
    const wait = (ms: number, name: string) => new Promise((resolve) => setTimeout(() => resolve(done.push(name)), ms));
    const [day, minute] = [setTimeout(() => done.push("a day"), 86_400_000), wait(60_000, "a minute")];
    await wait(0, "nothing");
    for (let turn = 0; turn < 50; turn++) await Promise.resolve().then(() => done.push("a turn"));
    assertEquals([done[0], done.length, Date.now()], ["nothing", 51, began.at(-1)]);
    await minute;
    clearTimeout(day);
    assertEquals([done.at(-1), Date.now()], ["a minute", (began.at(-1) ?? 0) + 60_000]);
    newTaskId();
  }
  assert((began[1] ?? 0) >= (began[0] ?? 0) + 60_000);
});

Deno.test("passing time cannot be left with a timer, nor once a test has waited too long", async () => {
  const left = new PassingTime();
  const timer = setTimeout(() => {}, 10_000);
  await assertRejects(() => left[Symbol.asyncDispose](), Error, "A timer is left.");
  clearTimeout(timer);
  const long = new PassingTime();
  await new Promise((resolve) => setTimeout(resolve, 600_000));
  await assertRejects(() => long[Symbol.asyncDispose](), Error, "More than 120000 ms have passed.");
});
