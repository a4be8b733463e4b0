/**
 * The task operations of revision 2025-11-25 on one connection: `tasks/get`, `tasks/result`, `tasks/cancel`,
 * `tasks/list`, and what is pushed.
 *
 * @module
 */
import { METHOD_NOT_FOUND, ProtocolError, type Result } from "@modelcontextprotocol/server";
import { z } from "zod";
import { TaskFinished, Unavailable } from "../../errors.ts";
import { fitted } from "../../exposure/fitted.ts";
import { callResult, resourceUri } from "../../exposure/call_result.ts";
import type { Surface } from "../../exposure/surface.ts";
import { toUnaskable } from "../../exposure/unaskable.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { Asker } from "./elicit.ts";
import { toProtocolError } from "../errors.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import * as rev from "./wire.ts";
import { ResultWaits } from "./result_waits.ts";
import { ListParams, type TaskCalls } from "../generation.ts";
import type { Peer } from "../peer.ts";
import { canAsk, declaresForms, progressTo } from "../words.ts";
import { answerForNobody } from "../cancel_questions.ts";

const TaskParams = z.looseObject({ taskId: z.string() });

/** Binds the task operations to one connection. */
export function bindTasks(
  server: TaskServer,
  tasks: Tasks,
  { cancellable, typed, notifications }: NonNullable<Surface["tasks"]>,
  { owner, known }: Peer,
): TaskCalls {
  server.registerCapabilities({ tasks: rev.tasksCapability(cancellable.length > 0, known) });
  const asker = new Asker(server, tasks, owner);
  const waits = new ResultWaits((requestId) => server.heardOn(requestId) !== undefined);
  const pushed = new Map<string, () => void>();
  /** The tasks that were just created, and are not followed yet. */
  const fresh = new Map<string, ReturnType<typeof setTimeout>>();
  const progressTokens = new Map<string, string | number>();
  const closed = new AbortController();
  server.onclose = () => {
    closed.abort(new Unavailable("The connection was closed."));
    for (const timer of fresh.values()) clearTimeout(timer);
    for (const stop of pushed.values()) stop();
    fresh.clear();
    pushed.clear();
    progressTokens.clear();
    asker.close();
  };

  const operation = (method: string, answer: (taskId: string, ctx: RequestContext) => Promise<Result>) =>
    server.setOwnHandler(method, TaskParams, async ({ taskId }, ctx) => {
      try {
        return await answer(taskId, ctx);
      } catch (error) {
        throw toProtocolError(error);
      }
    });

  const told = (task: TaskInfo) =>
    rev.wireTask(declaresForms(server.getClientCapabilities()) ? task : toUnaskable(task));

  // A client that is gone needs no push: it reads the task when it comes back.
  const send = (method: string, params: Record<string, unknown>) =>
    server.notification({ method, params }).catch(() => {});

  /** Follows a task on this connection until it ends. A client that comes back for a task is served like its creator. */
  const push = (task: TaskInfo) => {
    const progressToken = progressTokens.get(task.id);
    if (isFinished(task) || pushed.has(task.id) || (!notifications && progressToken === undefined)) return;
    // Whoever asks at once comes before the creation's own turn, which must not push the end again.
    clearTimeout(fresh.get(task.id));
    fresh.delete(task.id);
    const tellProgress = progressToken !== undefined &&
      progressTo(
        progressToken,
        (params) => send("notifications/progress", { ...params, _meta: rev.relatedTask(task.id) }),
      );
    const stop = tasks.follow(task, (now) => {
      if (now.revision <= task.revision) return;
      if (isFinished(now)) {
        pushed.get(task.id)?.();
        pushed.delete(task.id);
        progressTokens.delete(task.id);
      } else if (tellProgress) tellProgress(now);
      if (notifications) send("notifications/tasks/status", { ...told(now) });
    });
    pushed.set(task.id, stop);
  };

  // Section "Input Required Status": the client is asked on the stream of whatever it waits for.
  operation("tasks/get", async (id, ctx) => {
    const followed = pushed.has(id); // Its end may be pushed while it is read, and is pushed once.
    const task = await tasks.get(id, owner);
    if (!followed) push(task);
    asker.ask(task, ctx);
    return { ...told(task) };
  });

  operation("tasks/result", async (id, ctx) => {
    const task = await waits.wait(id, ctx.mcpReq.id, (askedAgain) => {
      const given = AbortSignal.any([ctx.mcpReq.signal, closed.signal, askedAgain]);
      return tasks.wait(id, owner, given, (now) => asker.ask(now, ctx));
    });
    const result = fitted(callResult(task, await tasks.outcome(task)), typed.includes(task.job));
    return { ...rev.taskResult(result, id) };
  });

  operation("tasks/cancel", async (id) => {
    const task = await tasks.get(id, owner);
    // Section "Task Cancellation": -32602 for a finished task, whatever its job allows.
    if (isFinished(task)) throw new TaskFinished(id, task.status);
    if (!cancellable.includes(task.job)) throw new ProtocolError(METHOD_NOT_FOUND, tasks.refuseCancel(task));
    return { ...rev.wireTask(await tasks.cancel(id, owner)) };
  });

  if (known) {
    server.setOwnHandler("tasks/list", ListParams, async ({ cursor }) => {
      try {
        const page = await tasks.list(owner, cursor);
        return {
          tasks: page.tasks.map(told),
          ...(page.nextCursor && { nextCursor: page.nextCursor }),
        };
      } catch (error) {
        throw toProtocolError(error);
      }
    });
  }

  return {
    listed: (taskSupport) => ({ execution: { taskSupport } }),
    wish(tool, { name, task }) {
      // Section "Tool-Level Negotiation": both refusals are -32601.
      if (task && !tool?.start) {
        const reason = `${name.slice(0, 100)} cannot be called as a task.`;
        tasks.refuseCall(owner, name.slice(0, 100), reason);
        throw new ProtocolError(METHOD_NOT_FOUND, reason);
      }
      if (!task && tool?.taskSupport === "required") {
        const reason = `${tool.name} can only be called as a task: pass \`task\`.`;
        tasks.refuseCall(owner, tool.name, reason);
        throw new ProtocolError(METHOD_NOT_FOUND, reason);
      }
      return task && { ttl: task.ttl, demanded: true };
    },
    created(task, ctx) {
      // Its changes are told under the token of the call.
      const progressToken = ctx.mcpReq._meta?.progressToken;
      if (progressToken !== undefined) progressTokens.set(task.id, progressToken);
      // Pushed only once the answer is out: before, the client does not know the task.
      const begin = () => {
        fresh.delete(task.id);
        push(task);
      };
      if (!closed.signal.aborted) fresh.set(task.id, setTimeout(begin, 0));
      return { ...rev.createTaskResult(task, resourceUri(task)) };
    },
    ask(task, ctx, ended) {
      if (canAsk(server, ctx)) asker.ask(task, ctx, { cancels: cancellable.includes(task.job) });
      else void answerForNobody(tasks, task, ended);
      return false;
    },
  };
}
