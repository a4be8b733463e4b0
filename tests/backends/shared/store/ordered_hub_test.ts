import type { TaskEvent } from "../../../../backend.ts";
import { OrderedHub } from "../../../../src/backends/shared/store/ordered_hub.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { assertEquals } from "../../../../tools/std.ts";

const TASK: TaskInfo = {
  id: "01a2272d-0000-7000-8000-000000000001",
  job: "echo",
  owner: "ann",
  status: "PENDING",
  revision: 1,
  attempt: 0,
  createdAt: 0,
  updatedAt: 0,
  resultTtl: 60_000,
};

const change = (task: Partial<TaskInfo>): TaskEvent => ({ kind: "change", task: { ...TASK, ...task } as TaskInfo });

Deno.test("a change that comes after a later one of its task, or again, is not told; that of another task is", () => {
  const hub = new OrderedHub();
  const told: string[] = [];
  hub.add({ event: (event) => told.push(event.kind === "gap" ? "gap" : event.task.status), ready() {} });
  const running = change({ status: "RUNNING", revision: 2 });
  for (const event of [running, change({}), { kind: "gap" } as const, running]) hub.event(event);
  hub.event(change({ id: "01a2272d-0000-7000-8000-000000000002" }));
  assertEquals(told, ["RUNNING", "gap", "PENDING"]);
});

Deno.test("what a store that was started anew has left of a task is told, although a later state was", () => {
  const hub = new OrderedHub();
  const told: number[] = [];
  hub.add({ event: (event) => event.kind === "change" && told.push(event.task.revision), ready() {} });
  const left = change({ status: "RUNNING", revision: 3 });
  hub.event(change({ status: "RUNNING", revision: 7 }));
  hub.restarted();
  for (const event of [left, left]) hub.event(event);
  assertEquals(told, [7, 3]);
});

Deno.test("the end of a task is told once, although a failover has lost changes before it that were told", () => {
  const hub = new OrderedHub();
  const told: string[] = [];
  hub.add({ event: (event) => told.push(event.kind === "gap" ? "gap" : event.task.status), ready() {} });
  const end = change({ status: "COMPLETED", revision: 7, finishedAt: 1 });
  for (const event of [change({ status: "RUNNING", revision: 9 }), end, end]) hub.event(event);
  assertEquals(told, ["RUNNING", "COMPLETED"]);
});
