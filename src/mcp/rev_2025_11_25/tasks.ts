/**
 * The task operations of revision 2025-11-25 on one connection: `tasks/get`, `tasks/result`, `tasks/cancel` and
 * `tasks/list`.
 *
 * @module
 */
import { METHOD_NOT_FOUND, ProtocolError, type Result } from "@modelcontextprotocol/server";
import { TaskFinished } from "../../errors.ts";
import { callResult } from "../../exposure/answers/call_result.ts";
import type { Surface } from "../../exposure/surface.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { cancelQuestions } from "../questions.ts";
import { withProtocolErrors } from "../errors.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import { ListParams, TaskParams } from "../params.ts";
import type { Peer } from "../peer.ts";
import type { Elicitor } from "./elicit.ts";
import { ResultWaits } from "./result_waits.ts";
import type { StatusPush } from "./status_push.ts";
import { taskResult, tasksCapability, wireTask } from "./wire.ts";

export interface TaskOperations {
  readonly tasks: Tasks;
  readonly surface: NonNullable<Surface["tasks"]>;
  readonly peer: Peer;
  readonly elicitor: Elicitor;
  readonly push: StatusPush;
  /** Sends what a task logs, if the client wants that. */
  readonly followLog: (task: TaskInfo) => void;
  /** Aborts when the connection is closed. */
  readonly closed: AbortSignal;
}

export function bindTasks(server: TaskServer, operations: TaskOperations): void {
  const { tasks, surface, peer, elicitor, push, followLog, closed } = operations;
  const { owner, known } = peer;
  const { cancellable, forms } = surface;
  server.registerCapabilities({ tasks: tasksCapability(cancellable.length > 0, known) });
  const waits = new ResultWaits((requestId) => server.openStreamOf(requestId) !== undefined);

  const ask = (task: TaskInfo, ctx: RequestContext) => {
    const others = elicitor.ask(task, ctx);
    if (surface.cancelsQuestions?.includes(task.job)) void cancelQuestions(tasks, task, others, closed);
  };

  const operation = (method: string, answer: (taskId: string, ctx: RequestContext) => Promise<Result>) =>
    server.setOwnHandler(
      method,
      TaskParams,
      ({ taskId }, ctx) => withProtocolErrors(tasks.onError, () => answer(taskId, ctx)),
    );

  // Section "Input Required Status": questions are sent on the stream of whatever the client waits for. A client that comes
  // back for a task is notified of its changes, like the one that created it.
  operation("tasks/get", async (id, ctx) => {
    const followed = push.isFollowing(id); // Its end may be pushed during the read, and must be pushed only once.
    const task = await tasks.get(id, owner);
    if (!followed) push.follow(task);
    ask(task, ctx);
    return push.describe(await tasks.explain(task));
  });

  operation("tasks/result", async (id, ctx) => {
    server.streams?.substitute(ctx.mcpReq.id, { method: "tasks/result", params: { taskId: id } });
    const task = await waits.wait(id, ctx.mcpReq.id, (replaced) => {
      const given = AbortSignal.any([ctx.mcpReq.signal, closed, replaced]);
      return tasks.wait(id, owner, given, (now) => {
        ask(now, ctx);
        followLog(now);
      });
    }).catch(async (error) => {
      // The server is shutting down: any other one answers the request, once the client resumes its stream there.
      if (error === tasks.over.reason && tasks.areKept) await server.streams?.leave(ctx.mcpReq.id);
      throw error;
    });
    const result = callResult(task, await tasks.outcome(task), forms.get(task.job));
    return { ...taskResult(result, id) };
  });

  operation("tasks/cancel", async (id) => {
    const task = await tasks.get(id, owner);
    // Section "Task Cancellation": a finished task is -32602, whatever its job allows.
    if (isFinished(task)) throw new TaskFinished(id, task.status);
    if (!cancellable.includes(task.job)) throw new ProtocolError(METHOD_NOT_FOUND, tasks.refuseCancel(task));
    return wireTask(await tasks.cancel(id, owner));
  });

  if (!known) return;
  server.setOwnHandler("tasks/list", ListParams, async ({ cursor }) => {
    const page = await withProtocolErrors(tasks.onError, () => tasks.list(owner, cursor));
    return {
      tasks: page.tasks.map((task) => push.describe(task)),
      ...(page.nextCursor && { nextCursor: page.nextCursor }),
    };
  });
}
