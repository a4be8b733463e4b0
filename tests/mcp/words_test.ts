import type { LiveTask } from "../../backend.ts";
import type { TaskInfo } from "../../mod.ts";
import { pollInterval, statusText } from "../../src/mcp/words.ts";
import { assertEquals } from "../../tools/std.ts";

const LIVE: LiveTask = {
  id: "01a204db-324d-7000-baf0-ffb9884cbdb0",
  job: "report",
  owner: "local",
  status: "RUNNING",
  revision: 2,
  attempt: 1,
  createdAt: 1_000,
  updatedAt: 1_000,
  resultTtl: 60_000,
};

Deno.test("the status text of a running task has its progress and its message", () => {
  const texts: [Partial<LiveTask>, string][] = [
    [{}, ""],
    [{ progress: 0.171 }, "17 %"],
    [{ progress: 0.999 }, "99 %"],
    [{ message: "loading" }, "loading"],
    [{ progress: 0, message: "loading" }, "0 %, loading"],
  ];
  for (const [said, text] of texts) assertEquals(statusText({ ...LIVE, ...said }), text);
});

Deno.test("the status text of a finished task is its message, without a percentage", () => {
  const end = { finishedAt: 2_000, progress: 0.17, message: "The task was cancelled; its work has stopped." };
  const finished: TaskInfo[] = [
    { ...LIVE, ...end, status: "CANCELLED", work: "stopped" },
    { ...LIVE, ...end, status: "FAILED", failure: "tool_error" },
    { ...LIVE, ...end, status: "COMPLETED", progress: 1 },
  ];
  for (const task of finished) assertEquals(statusText(task), end.message);
});

Deno.test("the poll interval is at most 2 s, however old a task is", () => {
  const ages = [0, 5_000, 12_345, 20_000, 75_000, 36_000_000];
  assertEquals(ages.map((age) => pollInterval(LIVE, LIVE.createdAt + age)), [500, 500, 1_235, 2_000, 2_000, 2_000]);
});
