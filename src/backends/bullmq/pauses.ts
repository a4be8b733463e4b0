/**
 * The pauses of jobs on BullMQ.
 *
 * @module
 */
import type { JobPauses } from "../../operator/primitives.ts";
import { checkOptions, type Rule } from "../../options.ts";
import type { Calls } from "./redis/operating.ts";
import type { RedisStore } from "./redis/store.ts";

/** The name of a job whose queue can exist. */
const QUEUED: Rule = {
  expected: 'a text without ":" on BullMQ',
  fits: (value) => typeof value === "string" && !value.includes(":"),
};

/** BullMQ itself starts no job of a paused queue, whatever worker asks for one. */
export function pausesOn(store: RedisStore, call: Calls["call"]): JobPauses {
  const { scripts, deadline } = store;
  const set = async (of: "pause" | "resume", job: string) => {
    checkOptions(of, { job }, { job: QUEUED });
    return await call(`${of} a job`, async () => {
      const names = await scripts.run<readonly string[]>("pause", job, of === "pause" ? 1 : 0);
      for (const name of names) {
        const queue = await store.queue(name);
        await deadline.wait(queue[of]());
      }
      return names;
    });
  };
  return {
    pause: async (job) => (await set("pause", job)).filter((queue) => queue !== job),
    resume: async (job) => void await set("resume", job),
    jobs: () => call("read what is paused", async () => new Set(await scripts.run<readonly string[]>("paused"))),
  };
}
