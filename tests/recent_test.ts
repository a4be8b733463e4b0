import { isNewer, remember } from "../src/recent.ts";
import type { TaskInfo } from "../src/task.ts";
import { assertEquals } from "../tools/std.ts";

Deno.test("a map of the two newest entries deletes the oldest one, and returns it", () => {
  const map = new Map<string, number>();
  const forgotten = [["a", 1], ["b", 2], ["a", 3], ["c", 4]].map(([key, value]) =>
    remember(map, String(key), Number(value), 2)
  );
  assertEquals(forgotten, [undefined, undefined, undefined, ["b", 2]]);
  assertEquals([...map], [["a", 3], ["c", 4]]);
});

Deno.test("of two states of a task, the one with the higher revision is newer, and its end is newer than all others", () => {
  const task = { id: "1", job: "add", owner: "ann", attempt: 1, createdAt: 0, updatedAt: 0, resultTtl: 1 };
  const states: TaskInfo[] = [
    { ...task, status: "PENDING", revision: 1 },
    { ...task, status: "RUNNING", revision: 9 },
    { ...task, status: "COMPLETED", revision: 4, finishedAt: 0 },
  ];
  const newer = states.map((state) => states.map((other) => isNewer(state, other) ? ">" : ".").join(""));
  assertEquals(newer, ["...", ">..", ">>."]);
  assertEquals(states.map((state) => isNewer(state, undefined)), [true, true, true]);
});
