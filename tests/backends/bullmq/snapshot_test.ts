import { failureOf, type Snapshot, toTask } from "../../../src/backends/bullmq/snapshot.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertEquals } from "../../../tools/std.ts";
import { newSnapshot } from "../support/snapshots.ts";

function snapshot(more: Partial<Snapshot>): Snapshot {
  const retry = { attempts: 3, delay: 0, maxDelay: 0 };
  const task = { id: newTaskId(), job: "job", owner: "ann", input: {}, resultTtl: 1, retry };
  return { ...newSnapshot(task, "job", 1), ...more };
}

Deno.test("the progress of an earlier run is not shown for a later one", () => {
  const progress = { run: 1, progress: 0.5, message: "half way" };
  const said = [1, 2].map((started) => {
    const task = toTask(snapshot({ state: "active", started, progress }));
    return [task.progress, task.message];
  });
  assertEquals(said, [[0.5, "half way"], [undefined, undefined]]);
});

Deno.test("the fault of an earlier run does not make the failure of the last one a fault", () => {
  const fault = { run: 1, code: -32001 };
  const ends = [1, 2].map((started) =>
    failureOf(snapshot({ state: "failed", started, ended: started, fault, failedReason: "no" }))
  );
  assertEquals(ends, [{ kind: "fault", message: "no", code: -32001 }, { kind: "tool_error", message: "no" }]);
});
