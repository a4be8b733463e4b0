import {
  capacityOf,
  EMPTY_WINDOW,
  moreOf,
  type RateWindow,
  withClaim,
} from "../../../src/backends/shared/job_limits.ts";
import { assertEquals } from "../../../tools/std.ts";

const RATE = { rateLimit: { max: 2, per: 1_000 } };

Deno.test("a job has room for as many tasks as it has slots that no worker holds", () => {
  assertEquals(capacityOf({ concurrency: 3 }, 1, EMPTY_WINDOW, 5_000), { free: 2 });
  // Workers with another limit may hold more.
  assertEquals(capacityOf({ concurrency: 3 }, 4, EMPTY_WINDOW, 5_000), { free: 0 });
  assertEquals(capacityOf({}, 100, EMPTY_WINDOW, 5_000), { free: Infinity });
});

Deno.test("at most `max` may begin in a window, which starts with the first one; then the next window starts", () => {
  let begun: RateWindow = EMPTY_WINDOW;
  assertEquals(capacityOf(RATE, 0, begun, 5_000), { free: 2 });
  begun = withClaim(RATE, begun, 5_000);
  begun = withClaim(RATE, begun, 5_900);
  assertEquals(begun, { since: 5_000, count: 2 });
  assertEquals(capacityOf(RATE, 0, begun, 5_900), { free: 0, pause: 100 });
  assertEquals(capacityOf(RATE, 0, begun, 6_000), { free: 2 });
  assertEquals(withClaim(RATE, begun, 6_500), { since: 6_500, count: 1 });
});

Deno.test("a clock that was set back begins a new window", () => {
  assertEquals(capacityOf(RATE, 0, { since: 5_000, count: 2 }, 4_000), { free: 2 });
});

Deno.test("a claim that read the time a moment before its window began belongs to that window", () => {
  assertEquals(capacityOf(RATE, 0, { since: 5_000, count: 2 }, 4_995), { free: 0, pause: 1_005 });
  assertEquals(withClaim(RATE, { since: 5_000, count: 1 }, 4_995), { since: 5_000, count: 2 });
});

Deno.test("with both limits, the smaller one counts", () => {
  assertEquals(capacityOf({ ...RATE, concurrency: 5 }, 4, EMPTY_WINDOW, 5_000), { free: 1 });
  assertEquals(capacityOf({ ...RATE, concurrency: 5 }, 0, { since: 5_000, count: 1 }, 5_000), { free: 1 });
});

Deno.test("a job whose rate is used up is searched again at once, and one without free slots after a task has ended", () => {
  assertEquals(moreOf(true, 8, 2, { concurrency: 2 }), { more: false, full: true });
  assertEquals(moreOf(true, 8, 2, RATE), { more: true, full: true });
  assertEquals(moreOf(true, 2, 2, { concurrency: 2 }), { more: false, full: true });
  assertEquals(moreOf(true, 1, 2, { concurrency: 2 }), { more: true, full: false });
  assertEquals(moreOf(false, 8, 2, { concurrency: 2 }), { more: false, full: false });
});
