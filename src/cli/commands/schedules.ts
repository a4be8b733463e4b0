/**
 * `mcp-jobs schedules`: lists, pauses and removes schedules.
 *
 * @module
 */
import type { ScheduleInfo } from "../../backend.ts";
import { JobsError } from "../../errors.ts";
import { type Command, command, UsageError } from "../command.ts";
import { lengthOfTime, timeOf } from "../format.ts";
import { text } from "../option.ts";
import { showRows } from "../output.ts";

export const schedules: Command = command({
  name: "schedules",
  about: "List schedules, or pause, resume or remove one",
  operands: [],
  options: {
    pause: text("NAME", "create no tasks of this schedule from now on"),
    resume: text("NAME", "end its pause"),
    remove: text("NAME", "remove it; a server that declares it brings it back when it starts"),
  },
  run: async ({ operator, options: { pause, resume, remove }, out }) => {
    const [name, ...others] = [pause, resume, remove].filter((each) => each !== undefined);
    if (others.length > 0) throw new UsageError("--pause, --resume and --remove change one schedule at a time.");
    if (name !== undefined) {
      const found = name === remove
        ? await operator.removeSchedule(name)
        : await operator.pauseSchedule(name, name === pause);
      if (!found) throw new JobsError(`There is no schedule ${JSON.stringify(name)}: mcp-jobs schedules lists them.`);
    }
    showRows(out, await operator.schedules(), [
      { title: "NAME", cell: ({ name }) => name },
      { title: "JOB", cell: ({ job }) => job, shrinks: true },
      { title: "TIMES", cell: timesOf },
      { title: "NEXT", cell: ({ nextAt, paused }) => paused ? "paused" : nextAt ? timeOf(nextAt) : "" },
      { title: "LAST", cell: ({ last }) => last ? timeOf(last.dueAt) : "", spare: "last" },
      { title: "LAST TASK", cell: ({ last }) => last?.task ?? "", spare: "last" },
      { title: "OWNER", cell: ({ owner }) => owner, shrinks: true, spare: "last" },
    ], "There are no schedules.");
  },
});

function timesOf({ times }: ScheduleInfo): string {
  return "every" in times ? `every ${lengthOfTime(times.every)}` : `${times.cron} (${times.timeZone})`;
}
