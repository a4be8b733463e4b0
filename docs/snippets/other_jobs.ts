import { type Backend, createClient, defineJob, isFinished, type Job } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

/** The results of short chapters are kept until the long ones have ended. */
const WEEK_MS = 604_800_000;

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
      // One step starts all, since a task has at most 200. With the keys, a second run of it receives the tasks of the first.
      const started = await step("start", ({ idempotencyKey }) => {
        const start = (chapter: string, index: number) =>
          client.start(countWords, { chapter }, { key: `${idempotencyKey}:${index}`, resultTtl: WEEK_MS });
        return Promise.all(chapters.map(start));
      });
      const allEnded = () =>
        step("have all ended?", async () => {
          const tasks = await Promise.all(started.map(({ id }) => client.get(id)));
          return tasks.every(isFinished);
        });
      for (let pause = 1_000; !await allEnded(); pause *= 1.2) await sleep("wait", pause);
      const counts = await step("count", () => Promise.all(started.map((task) => client.wait(task))));
      return { words: counts.reduce((sum, count) => sum + count, 0) };
    },
  });
}
