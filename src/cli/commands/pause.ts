/**
 * `mcp-jobs pause` and `mcp-jobs resume`.
 *
 * @module
 */
import { type Command, command, first } from "../command.ts";
import { show } from "../output.ts";

/** Pauses a job. */
export const pause: Command = command({
  name: "pause",
  about: "Let no worker begin another task of a job; running tasks go on, and new ones are accepted",
  operands: ["JOB"],
  options: {},
  run: async ({ operator, operands, out }) => {
    const job = first({ operands });
    await operator.pause(job);
    const [jobs, workers] = await Promise.all([operator.counts(), operator.workers()]);
    const hasTasks = jobs.some((each) => each.job === job && Object.values(each.counts).some((count) => count > 0));
    if (!hasTasks && !workers.some(({ jobs }) => jobs.includes(job))) {
      out.say(`No task and no worker of ${job} is there now. Is this its name?`);
    }
    show(out, { job, paused: true }, () => `${job} is paused`);
  },
});

/** Ends a pause. */
export const resume: Command = command({
  name: "resume",
  about: "End the pause of a job",
  operands: ["JOB"],
  options: {},
  run: async ({ operator, operands, out }) => {
    const job = first({ operands });
    await operator.resume(job);
    show(out, { job, paused: false }, () => `${job} is not paused`);
  },
});
