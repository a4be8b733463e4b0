/**
 * The task operations of the extension `io.modelcontextprotocol/tasks` (2026-07-28) on one connection: `tasks/get`,
 * `tasks/update` and `tasks/cancel`.
 *
 * @module
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  type Result,
} from "@modelcontextprotocol/server";
import type { AuditEvent } from "../../tasks/audit.ts";
import { InvalidInput, TaskFinished } from "../../errors.ts";
import type { Surface } from "../../exposure/surface.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { askingFor, cancelQuestions, declaredAsking, questionsToElicit } from "../questions.ts";
import { withProtocolErrors } from "../errors.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import * as rev from "./wire.ts";
import { TaskParams } from "../params.ts";
import type { Peer } from "../peer.ts";

/** Binds the extension to one connection. */
export function bindTasks(
  server: TaskServer,
  tasks: Tasks,
  surface: NonNullable<Surface["tasks"]>,
  { owner }: Peer,
): void {
  server.registerCapabilities(rev.CAPABILITY);

  const operation = (
    method: string,
    audited: AuditEvent["operation"],
    answer: (taskId: string, ctx: RequestContext) => Promise<Result>,
  ) =>
    server.setOwnHandler(method, TaskParams, async ({ taskId }, ctx) => {
      if (!rev.declaresTasks(capabilitiesOf(ctx))) {
        const error = missingExtension();
        tasks.refuse(owner, audited, error.message);
        throw error;
      }
      return await withProtocolErrors(tasks.onError, () => answer(taskId, ctx));
    });

  operation("tasks/get", "read", async (id, ctx) => {
    const task = await tasks.get(id, owner);
    if (surface.cancelsQuestions?.includes(task.job)) {
      const { others } = questionsToElicit(task, declaredAsking(capabilitiesOf(ctx)));
      void cancelQuestions(tasks, task, others, tasks.over);
    }
    return { ...await readDetailed(tasks, surface, await tasks.explain(task), capabilitiesOf(ctx)) };
  });

  operation("tasks/update", "answer", async (id, ctx) => {
    const { inputResponses } = ctx.mcpReq;
    await tasks.answer(id, owner, (task) => {
      if (!inputResponses) throw new InvalidInput("params", [{ path: "inputResponses", message: "is missing" }]);
      // An answer to what is not open is ignored; it is passed on for the audit log.
      const ignored = Object.keys(inputResponses).map((key) => [key, { action: "cancel" }] as const);
      return { ...Object.fromEntries(ignored), ...rev.answersTo(task, inputResponses) };
    });
    return {};
  });

  // The answer is only an acknowledgement: a task that cannot be cancelled, or has finished, stays as it is.
  operation("tasks/cancel", "cancel", async (id) => {
    const task = await tasks.get(id, owner);
    if (isFinished(task)) return {};
    if (!surface.cancellable.includes(task.job)) {
      tasks.refuseCancel(task);
      return {};
    }
    await tasks.cancel(id, owner).catch((error) => {
      if (!(error instanceof TaskFinished)) throw error;
    });
    return {};
  });
}

/** Reads a task with its questions, its result or its error. */
export async function readDetailed(
  tasks: Tasks,
  surface: NonNullable<Surface["tasks"]>,
  task: TaskInfo,
  capabilities: unknown,
): Promise<rev.DetailedTask> {
  const outcome = isFinished(task) ? await tasks.outcome(task) : undefined;
  const asking = askingFor(declaredAsking(capabilities), surface, task.job);
  return rev.detailedTask(task, outcome, { form: surface.forms.get(task.job), asking });
}

/** Error -32021, which names the extension that the client has to declare. */
export function missingExtension(): MissingRequiredClientCapabilityError {
  return new MissingRequiredClientCapabilityError({ requiredCapabilities: rev.CAPABILITY });
}

/** What the client declares with this request; an earlier one does not count. */
export function capabilitiesOf(ctx: RequestContext): unknown {
  return Reflect.get(ctx.mcpReq.envelope ?? {}, CLIENT_CAPABILITIES_META_KEY);
}
