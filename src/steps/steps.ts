/**
 * The steps of one run: `ctx.step`, `ctx.sleep`, `ctx.until`, `ctx.now` and `ctx.random`.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Claim } from "../backend.ts";
import { DefinitionError, HoldLost, InvalidValue, JobFault, JobsError, ToolError } from "../errors.ts";
import type { Job } from "../job.ts";
import { shown } from "../options.ts";
import type { JobContext } from "./context.ts";
import { toJson } from "../json.ts";
import type { Asker } from "../questions/elicit.ts";
import type { Answer, Json } from "../task.ts";
import { byteLength, isWithin, messageOf, quote } from "../text.ts";
import { inSleepSpan, inStepSpan } from "../telemetry/task_spans.ts";
import { type Call, MAX_STEPS, RecordedSteps, recordOf, Scope } from "./recorded_steps.ts";
import { handled, LATEST_DATE_MS, LONGEST_WAIT_MS } from "../waiting.ts";
import type { Parking } from "./parking.ts";
import { Replay } from "./replay.ts";

/** The largest result of a step, in UTF-8 bytes of JSON. */
export const MAX_STEP_BYTES = 256 * 1024;

/** The scope of the innermost step in which the code runs. */
const scopes = new AsyncLocalStorage<Scope>();

export type StepMethods = Pick<JobContext, "step" | "sleep" | "until" | "now" | "random">;

export class Steps implements Asker {
  readonly #claim: Claim;
  readonly #signal: AbortSignal;
  readonly #parking: Parking;
  readonly #rerun: boolean;
  readonly #outermost = new Scope();
  readonly #replay: Replay;
  #recorded: Promise<RecordedSteps> | undefined;
  /** Why the recorded steps cannot be continued. */
  #fault: JobFault | undefined;

  /** `signal` is that of the job's code. */
  constructor(claim: Claim, signal: AbortSignal, parking: Parking, { onStepMismatch }: Pick<Job, "onStepMismatch">) {
    this.#claim = claim;
    this.#signal = signal;
    this.#parking = parking;
    this.#rerun = onStepMismatch === "rerun";
    this.#replay = new Replay(claim, claim.mayHaveSteps || Object.keys(claim.answers ?? {}).length > 0);
  }

  /** What the code reports and logs. */
  get reports(): Pick<Claim, "report" | "log"> {
    return this.#replay;
  }

  known(key: string): Answer | undefined {
    const answer = this.#claim.answers?.[key];
    if (answer) this.#replay.reach(); // A question beside it may be asked first.
    return answer;
  }

  /** As that of `Asker`: in a race, recorded steps come before the answer. */
  repeating<T>(deliver: () => Promise<T>): Promise<T> {
    return this.#parking.repeating(async () => await this.#recorded, () => {
      this.#replay.reach();
      return deliver();
    });
  }

  async asking(checked: Promise<unknown>): Promise<Claim["ask"]> {
    // A step beside it may be recorded; it gets the error of reading them itself.
    const ask = await this.#parking.asking(checked.then(async () => void await this.#recorded?.catch(() => {})));
    return (question) => {
      this.#replay.end();
      return ask(question);
    };
  }

  get methods(): StepMethods {
    const step: JobContext["step"] = async (name, run) => {
      try {
        return await this.#step(name, run) as never;
      } finally {
        this.#parking.noteEnd();
      }
    };
    const until = async (name: string, time: () => number) => {
      const isInside = this.#scope !== this.#outermost;
      const wait = await this.#parking.sleep(async () => Number(await this.#step(name, () => time())), isInside);
      if (wait) await this.overlapping(() => inSleepSpan(name, wait));
    };
    return {
      step: ((name, run) => {
        return handled(step(name, (about) => inStepSpan(name, () => codeOf(name, run)(about))));
      }) as JobContext["step"],
      sleep: (name, ms) => handled(until(name, () => this.#claim.now() + durationOf(name, ms))),
      until: (name, time) => handled(until(name, () => timeOf(name, time))),
      now: () => handled(step("now", () => this.#claim.now())),
      random: () => handled(step("random", () => Math.random())),
    };
  }

  /** The code has ended. Throws the fault of steps that do not fit it, even if it has caught that. */
  end(): void {
    this.#replay.end();
    this.#throwFault();
  }

  /** Awaits what steps may overlap with, such as a question. */
  async overlapping<T>(wait: () => Promise<T>): Promise<T> {
    const scope = this.#scope;
    scope.enter();
    try {
      return await wait();
    } finally {
      scope.leave();
    }
  }

  #throwFault(): void {
    if (this.#fault) throw this.#fault;
  }

  get #scope(): Scope {
    // The step of another task may have started this one, or run a callback of it.
    const scope = scopes.getStore();
    return scope?.outermost === this.#outermost ? scope : this.#outermost;
  }

  async #step(name: string, run: Parameters<JobContext["step"]>[1]): Promise<Json> {
    this.#throwFault();
    this.#signal.throwIfAborted();
    if (this.#parking.isOver) throw new JobsError(`Cannot run the step ${quote(name)}: the attempt is over.`);
    checkStepName(name);
    const scope = this.#scope;
    if (scope.isInside(name)) {
      throw new DefinitionError(
        `Cannot run the step ${quote(name)} inside a step of the same name: give the inner one another name.`,
      );
    }
    return await this.overlapping(() => this.#parking.duringStep(() => this.#call(scope.call(name), run)));
  }

  async #call(call: Call, run: Parameters<JobContext["step"]>[1]): Promise<Json> {
    const steps = await (this.#recorded ??= this.#read());
    const found = steps.find(call);
    if (found.kind === "recorded") {
      this.#replay.reach();
      return found.value;
    }
    this.#replay.end();
    if (found.kind === "new") return await this.#run(steps, found.call, run);
    if (!this.#rerun) throw this.#fault = mismatch(call, found.name);
    await this.#claim.forget(found.index);
    steps.forget(found.index);
    return await this.#run(steps, call, run);
  }

  async #read(): Promise<RecordedSteps> {
    return new RecordedSteps(this.#claim.mayHaveSteps ? await this.#claim.steps() : []);
  }

  async #run(steps: RecordedSteps, call: Call, run: Parameters<JobContext["step"]>[1]): Promise<Json> {
    const { name } = call;
    const index = steps.reserve();
    if (index === undefined) {
      throw new ToolError(`Cannot run the step ${quote(name)}: a task has at most ${MAX_STEPS} steps.`);
    }
    try {
      const step = { idempotencyKey: `${this.#claim.task.id}:${name}`, signal: this.#signal };
      const value = resultOf(name, await scopes.run(new Scope(name, this.#outermost), async () => await run(step)));
      await this.#claim.record(recordOf(call, textOf(name, value), index, this.#claim.now()));
      // It is not recorded then, and another run takes this step.
      if (this.#claim.signal.reason instanceof HoldLost) throw this.#claim.signal.reason;
      return value;
    } catch (error) {
      steps.release(index);
      throw error;
    }
  }
}

function checkStepName(name: string): void {
  if (typeof name === "string" && /^[^#]{1,100}$/s.test(name) && name.isWellFormed()) return;
  const shown = typeof name === "string" ? quote(name) : typeof name;
  throw new DefinitionError(`Cannot use ${shown} as the name of a step: it needs 1 to 100 characters, and no "#".`);
}

function durationOf(name: string, ms: number): number {
  if (typeof ms === "number" && ms <= LONGEST_WAIT_MS) return Math.max(0, Math.ceil(ms));
  throw new DefinitionError(`Cannot sleep in ${quote(name)} for ${shown(ms)}: pass a number of ms.`);
}

function timeOf(name: string, time: Date | number): number {
  const ms = Number(time);
  const isTime = time instanceof Date || typeof time === "number"; // `null` would be a time that has passed.
  if (isTime && Math.abs(ms) <= LATEST_DATE_MS) return Math.ceil(ms);
  const given = time instanceof Date ? String(time) : shown(time);
  throw new DefinitionError(`Cannot wait in ${quote(name)} until ${given}: pass a Date, or ms since the epoch.`);
}

function codeOf<F>(name: string, run: F): F {
  if (typeof run === "function") return run;
  throw new DefinitionError(`Cannot run the step ${quote(name)}: pass a function that does its work.`);
}

/** The result of a step as JSON. Throws `InvalidValue` for what is not. */
function resultOf(name: string, value: unknown): Json {
  try {
    return toJson(value, "it");
  } catch (cause) {
    throw new InvalidValue(`Cannot record the result of the step ${quote(name)}: ${messageOf(cause)}.`, { cause });
  }
}

function textOf(name: string, value: Json): string {
  const text = JSON.stringify(value);
  if (isWithin(text, MAX_STEP_BYTES)) return text;
  throw new ToolError(
    `Cannot record the result of the step ${quote(name)}: it has ${byteLength(text)} bytes as JSON, and ` +
      `${MAX_STEP_BYTES} is the most. Store it elsewhere, and return where.`,
  );
}

/** The recorded steps of a task do not fit the code that continues it. The job has not ended the task by itself. */
export class StepMismatch extends JobFault {}

function mismatch({ name, place }: Call, recorded: string): StepMismatch {
  return new StepMismatch(
    `Cannot continue the task: its step ${place + 1} was recorded as ${quote(recorded)}, and the code now calls ` +
      `${quote(name)} there. If the code was changed, run it with the code that began it, or define the job with ` +
      'onStepMismatch: "rerun", which repeats the steps from there on. If parts of it run at the same time, put each ' +
      "part into a step of its own.",
  );
}
