/**
 * `mcp-jobs show`: one task, with its input and how it ended.
 *
 * @module
 */
import type { Operator, WorkerInfo } from "../../backend.ts";
import { expiresAt, isFinished, type Json, openQuestions, type Outcome, type TaskInfo } from "../../task.ts";
import { explainWait } from "../../tasks/wait_reasons.ts";
import { oneLine } from "../../text.ts";
import { type Command, command, first } from "../command.ts";
import { jsonOf, percent, printable, timeOf } from "../format.ts";
import { show as write } from "../output.ts";

/** It has died and nobody has taken its task over yet, or it is a worker of others. */
const NO_WORKER = "none of mcp-jobs that is alive";

export const show: Command = command({
  name: "show",
  about: "Show one task, with its input and its result",
  operands: ["ID"],
  options: {},
  run: async ({ backend, operator, operands, out }) => {
    const task = await operator.get(first(operands));
    const input = await operator.input(task.id);
    const outcome = isFinished(task) ? await backend.outcome(task.id, task.owner) : undefined;
    const worker = isFinished(task) ? undefined : await workerOf(task, operator);
    const explained = await explainWait(task, backend, new Map(), Date.now());
    write(out, { ...explained, worker: worker?.name, input, outcome }, () => textOf(explained, worker, input, outcome));
  },
});

/** The worker that holds a task; none while it waits. */
async function workerOf({ id }: TaskInfo, operator: Operator): Promise<WorkerInfo | undefined> {
  return (await operator.workers()).find(({ running }) => running.includes(id));
}

function textOf(task: TaskInfo, worker: WorkerInfo | undefined, input: Json, outcome: Outcome | undefined): string {
  const at = (ms: number | undefined) => ms === undefined ? undefined : timeOf(ms);
  const fields: { readonly [name: string]: string | undefined } = {
    id: task.id,
    job: task.job,
    owner: task.owner,
    status: task.status,
    attempt: String(task.attempt),
    worker: worker && `${worker.pid} on ${worker.host}` || (task.status === "RUNNING" ? NO_WORKER : undefined),
    progress: task.progress === undefined ? undefined : percent(task.progress),
    message: task.message,
    created: at(task.createdAt),
    "last change": at(task.updatedAt),
    due: at("dueAt" in task && task.status !== "INPUT_REQUIRED" ? task.dueAt : undefined),
    finished: at(isFinished(task) ? task.finishedAt : undefined),
    "kept until": at(expiresAt(task)),
    "retry of": task.retryOf,
    code: task.status === "CANCELLED" ? task.work.replaceAll("_", " ") : undefined,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(12)}  ${oneLine(value, 2_000)}`]
  );
  for (const { message, expiresAt } of openQuestions(task)) {
    const end = expiresAt === undefined ? "" : ` (until ${timeOf(expiresAt)})`;
    lines.push(`${"asks".padEnd(12)}  ${oneLine(message, 2_000)}${end}`);
  }
  lines.push("", "input:", jsonOf(input, 2));
  if (outcome) lines.push("", ...outcomeOf(outcome));
  return lines.join("\n");
}

function outcomeOf(outcome: Outcome): readonly string[] {
  if (outcome.kind !== "value") return [`${outcome.kind.replace("_", " ")}:`, printable(outcome.message)];
  const parts = (outcome.content ?? []).map((part) =>
    part.type === "text" ? printable(part.text) : jsonOf(sizeOf(part), 2)
  );
  const value = outcome.content && outcome.value === null ? [] : [jsonOf(outcome.value, 2)]; // Content without data.
  return ["result:", ...value, ...parts];
}

/** A part without its bytes, which no terminal shows. */
function sizeOf(part: object): Json {
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => name === "data" ? ["base64Characters", value.length] : [name, value]),
  );
}
