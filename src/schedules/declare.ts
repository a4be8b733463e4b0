/**
 * What a server takes of a schedule.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { checkJob, checkName, type Job } from "../job.ts";
import { toJson } from "../json.ts";
import { anything, checkOptions, flag, owner, required, type Rules, text, wholeNumber } from "../options.ts";
import { validate } from "../schema/schema.ts";
import { byteLength } from "../text.ts";
import { LONGEST_WAIT_MS } from "../waiting.ts";
import type { Declaration } from "./schedule.ts";
import { checkTimes, type Times } from "./times.ts";

/** When and for whom a schedule creates tasks: with `cron` or `every`, one of both. */
export interface ScheduleOptions<Input = unknown> {
  /** Its name, which all servers on the same backend share: at most 100 letters, digits, `_`, `-` and `.`. Default: the job's. */
  readonly name?: string;
  /** A cron expression of five fields, or of six with seconds first, such as `"0 3 * * MON-FRI"`. */
  readonly cron?: string;
  /** The time zone of `cron`, such as `"Europe/Berlin"`. Default: `"UTC"`. */
  readonly timeZone?: string;
  /** A task is due every so many ms, at least 100, counted from when the schedule was first declared. */
  readonly every?: number;
  /** The input of its tasks. Default: `{}`. */
  readonly input?: Input;
  /** The owner of its tasks, 1 to 128 characters: the principal that reads their results. Over stdio that is `"local"`. */
  readonly owner: string;
  /** Whether one task makes up for the due times at which no server ran. Default: `true`. */
  readonly catchUp?: boolean;
}

const SCHEDULE_OPTIONS: Rules<ScheduleOptions> = {
  name: text,
  cron: text,
  timeZone: text,
  every: wholeNumber(100, LONGEST_WAIT_MS),
  input: anything,
  owner: required(owner),
  catchUp: flag,
};

/** The largest input, in bytes of JSON: the document of a schedule holds it. */
const MAX_INPUT_BYTES = 50_000;

/** A schedule that was declared. */
export interface Declared {
  readonly name: string;
  readonly job: Job;
  readonly declaration: Declaration;
  /** Validates its input. Rejects with `InvalidInput`. */
  check(): Promise<void>;
}

/** Declares a schedule of a job. Throws `DefinitionError` for options that cannot be. */
export function declare(job: Job, options: ScheduleOptions): Declared {
  checkJob("schedule", job);
  checkOptions(`schedule(${JSON.stringify(job.name)})`, options, SCHEDULE_OPTIONS);
  const { name = job.name, cron, timeZone = "UTC", every, catchUp = true } = options;
  checkName(name);
  if ((cron === undefined) === (every === undefined) || every !== undefined && options.timeZone !== undefined) {
    throw new DefinitionError(
      `Cannot schedule ${name}: pass either \`cron\`, with or without \`timeZone\`, or \`every\`.`,
    );
  }
  const times: Times = cron === undefined ? { every: every ?? 0 } : { cron, timeZone };
  checkTimes(times, name);
  const input = toJson(options.input ?? {}, "the input");
  const bytes = byteLength(JSON.stringify(input));
  if (bytes > MAX_INPUT_BYTES) {
    throw new DefinitionError(`Cannot schedule ${name}: its input has ${bytes} bytes, ${MAX_INPUT_BYTES} is the most.`);
  }
  const check = async () => void await validate(job.input, input, `input for ${name}`);
  return { name, job, declaration: { job: job.name, owner: options.owner, input, times, catchUp }, check };
}
