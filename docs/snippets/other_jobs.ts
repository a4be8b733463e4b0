import { type Backend, createClient, defineJob, isFinished, type Job, type StartedTask } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

export const countWords = defineJob({
  name: "count_words",
  description: "Count the words of a chapter",
  input: z.object({ chapter: z.string() }),
  run: ({ chapter }) => chapter.split(" ").length,
});

/** A job that starts a task for each chapter, and adds up their results. It needs the backend of these tasks. */
export function bookCounter(backend: Backend): Job<{ chapters: string[] }, { words: number }> {
  return defineJob({
    name: "count_book",
    description: "Count the words of a book",
    input: z.object({ chapters: z.array(z.string()) }),
    parkAfter: 0, // It holds no worker while it waits, so one worker is enough for all.
    run: async ({ chapters }, { owner, step, sleep }) => {
      using client = createClient(backend, { owner });
      const started: StartedTask<number>[] = [];
      for (const chapter of chapters) {
        // With the key, a second run of this step receives the task of the first.
        const start = step("start", ({ idempotencyKey: key }) => client.start(countWords, { chapter }, { key }));
        started.push(await start);
      }
      let words = 0;
      for (const task of started) {
        const hasEnded = () => step("has it ended?", async () => isFinished(await client.get(task.id)));
        for (let pause = 1_000; !await hasEnded(); pause = Math.min(2 * pause, 600_000)) await sleep("wait", pause);
        words += await step("count", () => client.wait(task));
      }
      return { words };
    },
  });
}
