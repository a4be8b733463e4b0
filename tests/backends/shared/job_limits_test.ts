import { type Begun, moreOf, NONE_BEGUN, roomOf, withAnother } from "../../../src/backends/shared/job_limits.ts";
import { assertEquals } from "../../../tools/std.ts";

const RATE = { rateLimit: { max: 2, per: 1_000 } };

Deno.test("a job has room for as many tasks as it has slots that no worker holds", () => {
  assertEquals(roomOf({ concurrency: 3 }, 1, NONE_BEGUN, 5_000), { free: 2 });
  // Workers with another limit may hold more.
  assertEquals(roomOf({ concurrency: 3 }, 4, NONE_BEGUN, 5_000), { free: 0 });
  assertEquals(roomOf({}, 100, NONE_BEGUN, 5_000), { free: Infinity });
});

Deno.test("at most `max` may begin in a window, which starts with the first one; then the next window starts", () => {
  let begun: Begun = NONE_BEGUN;
  assertEquals(roomOf(RATE, 0, begun, 5_000), { free: 2 });
  begun = withAnother(RATE, begun, 5_000);
  begun = withAnother(RATE, begun, 5_900);
  assertEquals(begun, { since: 5_000, count: 2 });
  assertEquals(roomOf(RATE, 0, begun, 5_900), { free: 0, pause: 100 });
  assertEquals(roomOf(RATE, 0, begun, 6_000), { free: 2 });
  assertEquals(withAnother(RATE, begun, 6_500), { since: 6_500, count: 1 });
});

Deno.test("a clock that was set back begins a new window", () => {
  assertEquals(roomOf(RATE, 0, { since: 5_000, count: 2 }, 4_000), { free: 2 });
});

Deno.test("a claim that read the time a moment before its window began belongs to that window", () => {
  assertEquals(roomOf(RATE, 0, { since: 5_000, count: 2 }, 4_995), { free: 0, pause: 1_005 });
  assertEquals(withAnother(RATE, { since: 5_000, count: 1 }, 4_995), { since: 5_000, count: 2 });
});

Deno.test("with both limits, the smaller one counts", () => {
  assertEquals(roomOf({ ...RATE, concurrency: 5 }, 4, NONE_BEGUN, 5_000), { free: 1 });
  assertEquals(roomOf({ ...RATE, concurrency: 5 }, 0, { since: 5_000, count: 1 }, 5_000), { free: 1 });
});

Deno.test("a job is looked at again at once where its rate is used up, and after an end where its slots are", () => {
  assertEquals(moreOf(true, 8, 2, { concurrency: 2 }), { more: false, full: true });
  assertEquals(moreOf(true, 8, 2, RATE), { more: true, full: true });
  assertEquals(moreOf(true, 1, 2, { concurrency: 2 }), { more: true, full: false });
  assertEquals(moreOf(false, 8, 2, { concurrency: 2 }), { more: false, full: false });
});
