import type { TaskEvent } from "../../mod.ts";
import { QueueFeed } from "../../src/backends/bullmq/feed.ts";
import { newSnapshot } from "../../src/backends/bullmq/new_task.ts";
import type { Hear } from "../../src/backends/bullmq/store.ts";
import { newTaskId } from "../../src/ids.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test("a change that could not be read is read again, together with those that came meanwhile", async () => {
  const ids = [newTaskId(), newTaskId()];
  const reads: string[] = [];
  let fails = true;
  let hear: Hear = () => {};
  const failed = Promise.withResolvers<void>();
  const records = {
    queues: () => Promise.resolve([]),
    read: (id: string) => {
      reads.push(id);
      if (fails) failed.resolve();
      if (fails) return Promise.reject(new Error("deadlock detected"));
      const task = {
        id,
        job: "job",
        owner: "ann",
        input: {},
        resultTtl: 1,
        retry: { attempts: 1, delay: 0, maxDelay: 0 },
      };
      return Promise.resolve(newSnapshot(task, "job", 1));
    },
  };
  const store = {
    records,
    listen: () => () => {},
    onBack: () => {},
    follow: (_queue: string, heard: Hear) => {
      hear = heard;
      return Promise.resolve({ close: () => Promise.resolve() });
    },
  };
  const told: string[] = [];
  const both = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event: TaskEvent) => {
    if (event.kind === "change" && told.push(event.task.id) === 2) both.resolve();
  });
  feed.start();
  await feed.follow("job");
  const [first = "", second = ""] = ids;
  hear(first, false);
  await failed.promise;
  fails = false;
  hear(second, false);
  await both.promise;
  await feed.close();
  assertEquals([told.toSorted(), reads.toSorted()], [ids, [first, first, second]]);
});
