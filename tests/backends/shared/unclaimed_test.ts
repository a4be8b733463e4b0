import {
  claimed,
  crashed,
  created,
  dueAtOf,
  handedBack,
  stopRequested,
  unclaimed,
} from "../../../src/backends/shared/record.ts";
import { credibleDue } from "../../../src/backends/shared/clock.ts";
import { assertEquals } from "../../../tools/std.ts";
import { newTask } from "../../support/tasks.ts";

const waiting = created(newTask({ id: "id-1" }), 1_000);

Deno.test("a task whose claim was undone waits as before: it has lost no attempt, and was not handed back", () => {
  for (const before of [waiting, handedBack(claimed(waiting, "a", 2_000), false, [], 3_000).record]) {
    const { record, outcome } = unclaimed(claimed(before, "b", 4_000), 5_000);
    assertEquals(record.info.status, "PENDING");
    assertEquals([record.info.attempt, record.losses, record.holder, outcome], [
      before.info.attempt,
      before.losses,
      undefined,
      undefined,
    ]);
    assertEquals([record.info.revision, record.info.updatedAt], [before.info.revision + 2, 5_000]);
  }
});

Deno.test("a task whose input could not be read waits for a while, and no longer than that if the clock is set back", () => {
  const { record } = unclaimed(claimed(waiting, "a", 2_000), 3_000, 500);
  assertEquals([record.info.status, dueAtOf(record)], ["PENDING", 3_500]);
  assertEquals(dueAtOf(credibleDue(record, 1_000)), 1_500);
});

Deno.test("a task that was asked to stop and never began is cancelled, and says whether it ever ran", () => {
  const never = unclaimed(stopRequested(claimed(waiting, "a", 2_000), 3_000), 4_000).record.info;
  assertEquals([never.status, "work" in never && never.work], ["CANCELLED", "never_started"]);
  const ran = crashed(claimed(waiting, "a", 2_000), [], 3_000).record;
  const again = unclaimed(stopRequested(claimed(ran, "b", 4_000), 5_000), 6_000).record.info;
  assertEquals([again.status, "work" in again && again.work], ["CANCELLED", "stopped"]);
});
