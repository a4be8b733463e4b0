import { Sweeper } from "../../../src/backends/shared/sweeper.ts";
import { assertEquals, FakeTime } from "../../../tools/std.ts";
import { ignored } from "../../support/errors.ts";

Deno.test("a sweep pauses after each page, and ends with the first one that leaves nothing to do", async () => {
  using time = new FakeTime();
  let pages = 0;
  await using sweeper = new Sweeper({
    what: "delete pages",
    every: 3_600_000,
    page: () => Promise.resolve(++pages < 3),
    pause: 50,
    onError: ignored,
  });
  const swept = sweeper.sweep();
  const seen: number[] = [];
  for (const ms of [0, 49, 1, 49, 1]) {
    await time.tickAsync(ms);
    await time.runMicrotasks();
    seen.push(pages);
  }
  await swept;
  assertEquals(seen, [1, 1, 2, 2, 3]);
});
