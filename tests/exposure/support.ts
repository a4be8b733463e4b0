/**
 * What the tests of the exposure strategies share: jobs on a real backend, exposed without a protocol.
 *
 * @module
 */
import { z } from "zod";
import {
  type AuditEvent,
  createWorker,
  defineJob,
  type ExposureStrategy,
  type Job,
  JobFault,
  MemoryBackend,
  type TaskInfo,
} from "../../mod.ts";
import {
  type CompletedTask,
  type Json,
  type Outcome,
  type RegistryOptions,
  type Surface,
  type SurfaceTool,
  ToolRegistry,
  type ToolResult,
} from "../../strategy.ts";
import { type CallAnswer, CallCancelled, type CallClient, type CallContext } from "../../src/exposure/surface.ts";
import { assertRejects } from "../../tools/std.ts";
import { merge } from "../../src/exposure/merge.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { until } from "../support/processes.ts";

/** The owner of calls, unless a test has another. */
export const ME = "me";

/** A job with an output schema, which fails if its input says so. */
export const report: Job = defineJob({
  name: "report",
  title: "Report",
  description: "Makes a report",
  input: z.object({ user: z.string(), fail: z.enum(["error", "fault"]).optional() }),
  output: z.object({ total: z.number() }),
  annotations: { openWorldHint: false },
  attempts: 1,
  run: ({ user, fail }) => {
    if (fail === "error") throw new Error(`no user ${user}`);
    if (fail === "fault") throw new JobFault("broken", -32001);
    return { total: user.length };
  },
});

/** A job that ends only when its signal aborts. */
export const endless: Job = defineJob({
  name: "endless",
  description: "Waits",
  input: z.object({}),
  run: async (_, { signal, progress }) => {
    await progress(0.5, "waiting");
    signal.throwIfAborted();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  },
});

/** A backend, its tasks, and tools to call. */
export class Bench implements AsyncDisposable {
  readonly tasks: Tasks;
  /** What the audit log got. */
  readonly audited: AuditEvent[] = [];
  readonly #registry = new ToolRegistry();

  /** The backend may be that of another bench, as of a server that was there before. */
  constructor(readonly strategy: ExposureStrategy, readonly backend: MemoryBackend = new MemoryBackend()) {
    this.tasks = new Tasks(backend, Date.now, { audit: (event) => void this.audited.push(event) });
  }

  expose(job: Job, options?: RegistryOptions): Surface {
    return this.strategy.expose(this.#registry.register(job, options), this.tasks);
  }

  /** The surface of a server with all these jobs. */
  exposeAll(...jobs: readonly Job[]): Surface {
    return merge(jobs.map((job) => this.expose(job)), this.tasks);
  }

  /** Starts a worker, which stops with the backend. */
  async work(...jobs: readonly Job[]): Promise<void> {
    await createWorker(this.backend, jobs).ready;
  }

  /** Waits for a state of a task. */
  async until(id: string, matches: (task: TaskInfo) => boolean, owner: string = ME): Promise<TaskInfo> {
    const { promise, resolve } = Promise.withResolvers<TaskInfo>();
    const seen = (task: TaskInfo) => task.id === id && matches(task) && resolve(task);
    const stop = this.backend.watch((event) => event.kind === "change" && seen(event.task));
    this.backend.get(id, owner).then(seen, () => {}); // A task that has expired has had its event.
    try {
      return await promise;
    } finally {
      stop();
    }
  }

  /** Resolves once calls wait for so many tasks. */
  untilWatched(tasks: number): Promise<void> {
    return until(() => this.tasks.watched >= tasks, `calls wait for ${tasks} tasks`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tasks[Symbol.dispose]();
    await this.backend.close();
  }
}

/** The tool of this name. */
export function toolOf(surface: Surface, name: string): SurfaceTool {
  const tool = surface.tools.find((one) => one.name === name);
  if (tool === undefined) throw new Error(`There is no tool ${name} among ${surface.tools.map((one) => one.name)}.`);
  return tool;
}

/** A client without tasks that cannot ask a person. */
export const PLAIN: CallClient = { tasks: "none", elicitation: false, progress: false };

/** How a test calls a tool, if not as {@linkcode ME} with a plain client. */
export type CallOptions = Partial<CallContext>;

/** Calls a tool. */
export function callFor(
  surface: Surface,
  name: string,
  input: unknown,
  options: CallOptions = {},
): Promise<CallAnswer> {
  const { owner = ME, client = PLAIN, signal = new AbortController().signal, onChange, ...others } = options;
  return toolOf(surface, name).call(input, { owner, client, signal, onChange, ...others });
}

/** Calls a tool for its result. */
export async function call(
  surface: Surface,
  name: string,
  input: unknown,
  options: CallOptions = {},
): Promise<ToolResult> {
  const answer = await callFor(surface, name, input, options);
  if (answer.kind !== "result") throw new Error(`The call of ${name} has become task ${answer.task.id}.`);
  return answer.result;
}

/** Calls a tool for a task. */
export async function start(surface: Surface, name: string, input: unknown, ttl?: number): Promise<TaskInfo> {
  const answer = await callFor(surface, name, input, { client: { ...PLAIN, tasks: "demanded", ttl } });
  if (answer.kind !== "task") throw new Error(`The call of ${name} has become no task.`);
  return answer.task;
}

/** A task that has ended with a value. */
export const completed: CompletedTask = {
  id: "id-1",
  job: "report",
  owner: "me",
  status: "COMPLETED",
  revision: 3,
  attempt: 1,
  createdAt: 1,
  updatedAt: 2,
  finishedAt: 2,
  resultTtl: 60_000,
};

/** How a task ends that returns this value. */
export function value(value: Json): Outcome {
  return { kind: "value", value };
}

/**
 * Calls `endless`, and cancels the call at half. Resolves with the id of its task, once the call has rejected with
 * `CallCancelled`.
 */
export async function cancelAtHalf(surface: Surface): Promise<string> {
  const caller = new AbortController();
  const ids: string[] = [];
  const answer = call(surface, "endless", {}, {
    signal: caller.signal,
    onChange: ({ id, progress }) => {
      ids.push(id);
      if (progress === 0.5) caller.abort(new CallCancelled("enough"));
    },
  });
  await assertRejects(() => answer, CallCancelled, "enough");
  return ids[0] ?? "";
}
