import { InvalidInput } from "../../src/errors.ts";
import { firstIdOf, isTaskId, newTaskId, timeOfTaskId } from "../../src/ids.ts";
import { matches, queryOf } from "../../src/operator/filter.ts";
import type { TaskInfo } from "../../src/task.ts";
import { assert, assertEquals, assertThrows } from "../../tools/std.ts";

const NOW = 1_795_000_000_000;
const MINUTE = 60_000;

Deno.test("times become ids: `since` a minute earlier, for clocks that differ, and `until` later by as much as the store says", () => {
  const { from = "", before = "" } = queryOf({ since: NOW, until: NOW + 1_000 }, 7);
  assertEquals([timeOfTaskId(from), timeOfTaskId(before)], [NOW - MINUTE, NOW + 1_007]);
  assertEquals(queryOf({ until: NOW + 0.5 }, 0).before, firstIdOf(NOW + 1));
  assertEquals(queryOf({}, 0).before, undefined);
});

Deno.test("of a cursor and `until` the earlier one counts, and a cursor must be the id of a task", () => {
  const [older, newer] = [firstIdOf(NOW), firstIdOf(NOW + 10 * MINUTE)];
  assertEquals(queryOf({ cursor: older, until: NOW + 5 * MINUTE }, 0).before, older);
  assertEquals(queryOf({ cursor: newer, until: NOW }, MINUTE).before, firstIdOf(NOW + MINUTE));
  assertThrows(() => queryOf({ cursor: "1" }, 0), InvalidInput);
});

Deno.test("every number has a first id, even if it is no valid time", () => {
  for (const time of [-Infinity, -1, 0, 0.5, NOW, 2 ** 48, Infinity]) assert(isTaskId(firstIdOf(time)), String(time));
  const id = newTaskId(); // The ids of a process only rise, so that the time is not chosen here.
  const time = timeOfTaskId(id);
  assert(firstIdOf(time) <= id && id < firstIdOf(time + 1));
});

Deno.test("a task matches if it is all that the filter names, from `since` on and before `until`", () => {
  const task: TaskInfo = {
    ...{ id: newTaskId(), job: "report", owner: "ann", status: "PENDING", revision: 1, attempt: 0 },
    ...{ createdAt: NOW, updatedAt: NOW, resultTtl: 1 },
  };
  assert(matches(task, { job: "report", owner: "ann", status: "PENDING", since: NOW, until: NOW + 1 }));
  for (
    const no of [{ job: "other" }, { owner: "bob" }, { status: "FAILED" }, { since: NOW + 1 }, { until: NOW }] as const
  ) {
    assert(!matches(task, no), JSON.stringify(no));
  }
});
