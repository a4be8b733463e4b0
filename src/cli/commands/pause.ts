/**
 * `mcp-jobs pause` and `mcp-jobs resume`.
 *
 * @module
 */
import { type Command, command, first } from "../command.ts";
import { show } from "../output.ts";

export const pause: Command = command({
  name: "pause",
  about: "Let no worker begin another task of a job; running tasks go on, and new ones are accepted",
  operands: ["JOB"],
  options: {},
  run: async ({ operator, operands, out }) => {
    const job = first(operands);
    const queues = await operator.pause(job);
    for (const queue of queues) out.say(`The whole queue ${queue} is paused: its other jobs wait, too.`);
    const [jobs, workers] = await Promise.all([operator.counts(), operator.workers()]);
    const hasTasks = jobs.some((each) => each.job === job && Object.values(each.counts).some((count) => count > 0));
    if (!hasTasks && !workers.some(({ jobs }) => jobs.includes(job))) {
      out.say(`No task and no worker of ${job} is there now. Is this its name?`);
    }
    show(out, { job, paused: true, ...(queues.length > 0 && { queues }) }, () => `${job} is paused`);
  },
});

export const resume: Command = command({
  name: "resume",
  about: "End the pause of a job",
  operands: ["JOB"],
  options: {},
  run: async ({ operator, operands, out }) => {
    const job = first(operands);
    await operator.resume(job);
    show(out, { job, paused: false }, () => `${job} is not paused`);
  },
});
