/** What tests rely on of `FakeTime`, be it that of @std or what stands in for it. */
import { assert, assertEquals, assertThrows, FakeTime } from "../../tools/std.ts";

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
