/**
 * The spans of a task, by OpenTelemetry's conventions for messaging: the job is the destination, the task the message.
 *
 * @module
 */
import type { Attributes } from "@opentelemetry/api";
import type { Attempt, Claim, NewTask, TraceContext } from "../backend.ts";
import type { TaskInfo } from "../task.ts";
import { activeTrace, inSpan, markFailed } from "./spans.ts";

/**
 * Stores a task in a span, to which its attempts are linked. `create` is given the context of the span, if the process has a
 * provider, and resolves with the task, which may have been there before.
 */
export function inSendSpan(
  { id, job }: Pick<NewTask, "id" | "job">,
  create: (trace: TraceContext | undefined) => Promise<TaskInfo>,
): Promise<TaskInfo> {
  const attributes = messageAttributes("send", job, id);
  return inSpan({ name: `send ${job}`, kind: "PRODUCER", attributes }, async (span) => {
    const stored = await create(activeTrace());
    if (stored.id !== id) span.setAttribute("messaging.message.id", stored.id);
    return stored;
  });
}

/** Runs one attempt in a span, which is also active in the job's code: the spans of that are its children. */
export function inProcessSpan({ task, trace }: Claim, run: () => Promise<Attempt>): Promise<Attempt> {
  const { id, job, attempt } = task;
  const attributes = { ...messageAttributes("process", job, id), "mcp_jobs.attempt": attempt };
  return inSpan({ name: `process ${job}`, kind: "CONSUMER", attributes, parent: trace }, async (span) => {
    const ended = await run();
    if (ended.kind === "error") markFailed(span, ended.retry ? "job_error" : "tool_error");
    else if (ended.kind === "fault") markFailed(span, "fault");
    return ended;
  });
}

function messageAttributes(operation: "send" | "process", job: string, task: string): Attributes {
  return {
    "messaging.system": "mcp_jobs",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": job,
    "messaging.message.id": task,
  };
}
