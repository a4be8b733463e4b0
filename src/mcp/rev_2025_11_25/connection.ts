/**
 * A connection that speaks revision 2025-11-25, or an older one.
 *
 * @module
 */
import { METHOD_NOT_FOUND, ProtocolError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { Unavailable } from "../../errors.ts";
import type { TaskInfo } from "../../task.ts";
import type { TaskServer } from "../host.ts";
import type { Peer } from "../peer.ts";
import type { Client, Connection } from "../revision.ts";
import type { Served } from "../served.ts";
import { askingFor, declaredAsking } from "../questions.ts";
import { elicitFields } from "./ask_for_input.ts";
import { Elicitor } from "./elicit.ts";
import { LogPush } from "./log_push.ts";
import { readableIn } from "./older_revisions.ts";
import { StatusPush } from "./status_push.ts";
import { bindTasks } from "./tasks.ts";
import { createTaskResult } from "./wire.ts";

/** Section "Log Message Notifications". */
const LOG_MESSAGE = "notifications/message";

/** Names the call that was lost with its server, in `_meta` of the call that is processed in its place. */
const LOST_CALL = "mcp-jobs/lostCall";

/** The client has kept it for us, and may have sent anything. */
const LostCall = z.object({ task: z.string(), identity: z.string().regex(/^[0-9a-f]{64}$/).optional() });

/** Sets up the revision on one connection. Where the surface has no tasks, the `task` of a call is ignored. */
export function bindConnection(
  server: TaskServer,
  { surface: { tasks: native }, tasks }: Served,
  peer: Peer,
): Connection {
  // Section "Capabilities": with `tasks` a client declares which requests of the server it takes as tasks. Which of its own
  // calls are to become tasks, it says with each call.
  const client = (): Client => ({ ...declaredAsking(server.getClientCapabilities()), tasks: false });
  const elicitor = new Elicitor(server, tasks, peer.owner);
  const logs = new LogPush(tasks, (params) => server.notification({ method: LOG_MESSAGE, params }));
  logs.bind(server);
  const followLog = (task: TaskInfo) => void logs.follow(task);
  const push = native && new StatusPush(tasks, {
    // A client that is gone needs no push: it reads the task when it comes back.
    notify: (method, params) => void server.notification({ method, params }).catch(() => {}),
    notifications: native.notifications,
    onFollow: followLog,
    asking: (job) => askingFor(client(), native, job),
  });
  const closed = new AbortController();
  const { onclose } = server; // Of an extension.
  server.onclose = () => {
    closed.abort(new Unavailable("The connection was closed."));
    push?.[Symbol.dispose]();
    logs[Symbol.dispose]();
    elicitor.close();
    onclose?.();
  };
  if (push) bindTasks(server, { tasks, surface: native, peer, elicitor, push, followLog, closed: closed.signal });

  return {
    subscriptions: false,
    client,
    listed: (taskSupport) => native ? { execution: { taskSupport } } : {},
    taskRequest(tool, { name, task }) {
      // Section "Capabilities": a receiver that declares no tasks processes the request as any other.
      if (native === undefined) return undefined;
      const shown = name.slice(0, 100);
      const reason = task && !tool?.taskSupport
        ? `${shown} cannot be called as a task.`
        : !task && tool?.taskSupport === "required"
        ? `${shown} can only be called as a task: pass \`task\`.`
        : undefined;
      if (reason === undefined) return task && { ttl: task.ttl, demanded: true };
      tasks.refuseCall(peer.owner, shown, reason);
      // Section "Tool-Level Negotiation": both refusals are -32601.
      throw new ProtocolError(METHOD_NOT_FOUND, reason);
    },
    created(task, ctx) {
      push?.created(task, ctx.mcpReq._meta?.progressToken);
      return createTaskResult(task);
    },
    completed: (result) => ({ ...readableIn(server.getNegotiatedProtocolVersion(), result) }),
    elicit: elicitFields,
    followLog: (task, ctx) => logs.follow(task, (params) => ctx.mcpReq.notify({ method: LOG_MESSAGE, params })),
    resumed: () => undefined,
    waits(name, ifLost, { mcpReq: { id, _meta } }) {
      const { progressToken } = _meta ?? {};
      const meta = { [LOST_CALL]: ifLost, ...(progressToken !== undefined && { progressToken }) };
      server.streams?.substitute(id, { method: "tools/call", params: { name, _meta: meta } });
    },
    lost({ mcpReq: { _meta } }) {
      return LostCall.safeParse(_meta?.[LOST_CALL]).data;
    },
    answers: () => ({}),
    ask(task, _, ctx) {
      const cancels = native?.cancellable.includes(task.job) ?? false;
      elicitor.ask(task, ctx, { cancels });
      return undefined;
    },
  };
}
