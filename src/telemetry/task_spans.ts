/**
 * The spans of a task, by OpenTelemetry's conventions for messaging: the job is the destination, the task the message.
 *
 * @module
 */
import type { Attributes } from "@opentelemetry/api";
import type { Attempt, Claim, NewTask, TraceContext } from "../backend.ts";
import { HoldLost, TaskCancelled, TaskParked, WorkerStopping } from "../errors.ts";
import type { TaskInfo } from "../task.ts";
import { countAttempt, isMeasuring, measured, messaging } from "./metrics.ts";
import { failureOf, inSpan, isTracing } from "./spans.ts";
import { parentOf, traceOf } from "./trace_context.ts";

/** Whether the process has a provider for spans or metrics: without one, they must cost nothing. */
export function isObserved(): boolean {
  return isTracing() || isMeasuring();
}

/**
 * Stores a task in a span, to which its attempts are linked. `create` is given the context of the span, if the process has a
 * provider, and resolves with the task, which may be an existing one.
 */
export function inSendSpan(
  { id, job }: Pick<NewTask, "id" | "job">,
  create: (trace: TraceContext | undefined) => Promise<TaskInfo>,
): Promise<TaskInfo> {
  if (!isObserved()) return create(undefined);
  const attributes = messageAttributes("send", job, id);
  const end = measured("send", messaging.send(job));
  return inSpan({ name: `send ${job}`, kind: "PRODUCER", attributes, isActive: false }, async (span) => {
    try {
      const stored = await create(traceOf(span));
      if (stored.id !== id) span.setAttribute("messaging.message.id", stored.id);
      end?.();
      return stored;
    } catch (error) {
      end?.(failureOf(error));
      throw error;
    }
  });
}

/** How a run ended. Only failures of the code itself count as errors. */
export type RunEnd =
  | "completed"
  | "job_error"
  | "tool_error"
  | "fault"
  | "parked"
  | "cancelled"
  | "handed_back"
  | "lost";

const ERRORS: readonly RunEnd[] = ["job_error", "tool_error", "fault"];

/**
 * Runs a task once in a span, which is also active in the job's code: the spans of that are its children. Each attempt, and
 * each further run of a parked one, has its own, linked to where the task was created.
 */
export function inProcessSpan(claim: Claim, run: () => Promise<Attempt>): Promise<Attempt> {
  if (!isObserved()) return run();
  const { task: { id, job, attempt }, trace } = claim;
  const attributes = { ...messageAttributes("process", job, id), "mcp_jobs.attempt": attempt };
  const parent = parentOf("task", trace);
  const ended = measured("process", messaging.process(job));
  return inSpan({ name: `process ${job}`, kind: "CONSUMER", attributes, parent }, async (span) => {
    const attempt = await run();
    const end = endOf(attempt, claim.signal);
    span.setAttribute("mcp_jobs.run.end", end);
    const type = ERRORS.includes(end) ? end : undefined;
    if (type !== undefined) span.fail(type);
    ended?.(type === undefined ? undefined : { "error.type": type });
    countAttempt(job, end);
    return attempt;
  });
}

/** How a run ended, as far as its worker knows. The reason why it had to stop takes precedence over the code's result. */
function endOf(attempt: Attempt, { aborted, reason }: AbortSignal): RunEnd {
  if (aborted && reason instanceof TaskParked) return "parked";
  if (aborted && reason instanceof HoldLost) return "lost";
  if (aborted && reason instanceof TaskCancelled) return "cancelled";
  if (attempt.kind === "value") return "completed";
  if (aborted && reason instanceof WorkerStopping) return "handed_back";
  if (attempt.kind === "fault") return "fault";
  return attempt.retry ? "job_error" : "tool_error";
}

/** Runs the code of a step in a span. A step that an earlier run has recorded has none: its code does not run again. */
export function inStepSpan<T>(name: string, run: () => T | Promise<T>): Promise<T> {
  const attributes = { "mcp_jobs.step.name": name };
  return inSpan({ name: `step ${name}`, kind: "INTERNAL", attributes }, async () => await run());
}

/** Sleeps in a span, which ends when the run does: the task may be parked, and run again when the time is over. */
export function inSleepSpan(name: string, wait: () => Promise<void>): Promise<void> {
  const attributes = { "mcp_jobs.step.name": name };
  return inSpan({ name: `sleep ${name}`, kind: "INTERNAL", attributes }, wait);
}

/**
 * Waits for the answer to a question in a span, which ends when the run does: if the task is parked, the run that gets the
 * answer has a span of its own. The span holds neither the question nor the answer, only whether a person accepted.
 */
export function inElicitSpan<A extends { readonly action: string }>(
  mode: "form" | "url",
  ask: () => Promise<A>,
): Promise<A> {
  if (!isTracing()) return ask();
  const attributes = { "mcp_jobs.question.mode": mode };
  return inSpan({ name: "elicit", kind: "INTERNAL", attributes }, async (span) => {
    const answer = await ask();
    span.setAttribute("mcp_jobs.answer.action", answer.action);
    return answer;
  });
}

function messageAttributes(operation: "send" | "process", job: string, task: string): Attributes {
  return { ...messaging[operation](job), "messaging.message.id": task };
}
