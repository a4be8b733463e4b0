/**
 * Tasks in `subscriptions/listen` (2026-07-28). The SDK serves this method without tasks. A listener stands between the SDK
 * and the wire of one connection, sees every message in both directions, and adds the tasks.
 *
 * @module
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  INVALID_PARAMS,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  SUBSCRIPTION_ID_META_KEY,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { TaskNotFound } from "../../errors.ts";
import { logUri, prefixOf, resourceUri } from "../../exposure/resources/uris.ts";
import { hasMoreParts } from "../../json.ts";
import { fits } from "../../text.ts";
import type { TaskInfo } from "../../task.ts";
import { toProtocolError } from "../errors.ts";
import type { Peer } from "../peer.ts";
import type { Served } from "../served.ts";
import { cancelledBy } from "../messages/message.ts";
import { traceOfMeta } from "../messages/request_trace.ts";
import { sendable } from "../messages/sendable.ts";
import { type Subscribed, TaskSubscription, type Write } from "./subscription.ts";
import { missingExtension } from "./tasks.ts";
import { declaresTasks } from "./wire.ts";

type Id = string | number;

/** A resource that never changes. The SDK closes a stream with nothing to send, and it knows no tasks. */
const PLACEHOLDER = "mcp://results/";

/** The most tasks and resources of one subscription. */
const MAX_TASKS = 1_000;

/** The most bytes, and the most fields and items, of a request to subscribe: it is held for as long as it is open. */
const MAX_BYTES = 262_144;
const MAX_PARTS = 4_000;

const Filter = z.looseObject({
  taskIds: z.array(z.string()).max(MAX_TASKS).optional(),
  resourceSubscriptions: z.array(z.string()).max(MAX_TASKS).optional(),
});

const Acknowledgement = z.looseObject({
  notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()).optional() }),
  _meta: z.looseObject({ [SUBSCRIPTION_ID_META_KEY]: z.union([z.string(), z.number()]) }),
});

/** What a client wants to subscribe to. */
type Requested = Omit<Subscribed, "id">;

/** The task subscriptions of one connection. */
export class TaskListener implements Disposable {
  readonly #served: Pick<Served, "surface" | "tasks">;
  readonly #owner: string;
  readonly #requested = new Map<Id, Requested>();
  readonly #open = new Map<Id, TaskSubscription>();
  readonly #onRefused: (id: Id) => void;

  /** `onRefused` is called with the id of a subscription that is refused, but that the SDK takes for open. */
  constructor(served: Pick<Served, "surface" | "tasks">, { owner }: Peer, onRefused: (id: Id) => void = () => {}) {
    this.#served = served;
    this.#owner = owner;
    this.#onRefused = onRefused;
  }

  /** Takes a message from the client. Returns what to forward to the SDK, or what to answer instead. */
  receive(message: JSONRPCMessage): { readonly forward: JSONRPCMessage } | { readonly answer: JSONRPCMessage } {
    const cancelled = cancelledBy(message);
    if (cancelled) this.#end(cancelled.id);
    if (!isJSONRPCRequest(message) || message.method !== "subscriptions/listen") return { forward: message };
    const { id, params = {} } = message;
    if (!fits(message, MAX_BYTES) || hasMoreParts(message, MAX_PARTS)) {
      return refuse(
        id,
        INVALID_PARAMS,
        `Invalid params: more than ${MAX_BYTES} bytes, or ${MAX_PARTS} fields and items.`,
      );
    }
    const { tasks, templates } = this.#served.surface;
    if (tasks === undefined && templates.length === 0) return { forward: message };
    const filter = params.notifications;
    // The SDK refuses what is not a filter at all.
    if (typeof filter !== "object" || filter === null) return { forward: message };
    const parsed = Filter.safeParse(filter);
    if (!parsed.success) {
      return refuse(id, INVALID_PARAMS, `Invalid params: notifications: ${parsed.error.issues[0]?.message}`);
    }
    const { resourceSubscriptions: uris = [] } = parsed.data;
    const taskIds = tasks && parsed.data.taskIds;
    const capabilities = Reflect.get(params._meta ?? {}, CLIENT_CAPABILITIES_META_KEY);
    if (taskIds && typeof capabilities === "object" && !declaresTasks(capabilities)) {
      const { code, message, data } = missingExtension();
      this.#served.tasks.refuse(this.#owner, "read", message);
      return refuse(id, code, message, data);
    }
    this.#requested.set(id, { taskIds: taskIds ?? [], uris, capabilities, trace: traceOfMeta(params._meta) });
    const notifications = taskIds ? { ...filter, resourceSubscriptions: [...uris, PLACEHOLDER] } : filter;
    return { forward: { ...message, params: { ...params, notifications } } };
  }

  /** Sends a message of the SDK to the client, an acknowledgement with the tasks added. */
  async send(message: JSONRPCMessage, write: Write): Promise<void> {
    if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
      if (message.id !== undefined) this.#end(message.id);
    }
    const acknowledged = readAcknowledgement(message);
    const id = acknowledged?._meta[SUBSCRIPTION_ID_META_KEY];
    const requested = id === undefined ? undefined : this.#requested.get(id);
    if (acknowledged === undefined || id === undefined || requested === undefined) return await write(message);
    const writeSendable: Write = (message) => write(sendable(message));
    let known: ReadonlyMap<string, TaskInfo>;
    try {
      known = await this.#readOwned(requested);
    } catch (error) {
      this.#requested.delete(id);
      this.#onRefused(id);
      const { code, message, data } = toProtocolError(error, this.#served.tasks.onError);
      return await writeSendable(refuse(id, code, message, data).answer);
    }
    const taskIds = requested.taskIds.filter((taskId) => known.has(taskId));
    const uris = requested.uris.filter((uri) => !this.#isResult(uri) || known.has(uri));
    const { resourceSubscriptions, ...rest } = acknowledged.notifications;
    const notifications = {
      ...rest,
      ...(resourceSubscriptions && uris.length > 0 && { resourceSubscriptions: uris }),
      ...(requested.taskIds.length > 0 && { taskIds }),
    };
    await writeSendable({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { ...acknowledged, notifications },
    });
    // The subscription may have ended while its tasks were read.
    if (!this.#requested.delete(id)) return;
    const tasks = new Set(known.values());
    const subscription = new TaskSubscription(this.#served, { ...requested, taskIds, uris, id }, writeSendable);
    this.#open.set(id, subscription);
    for (const task of tasks) subscription.follow(task);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#requested.keys(), ...this.#open.keys()]) this.#end(id);
  }

  #end(id: Id): void {
    this.#requested.delete(id);
    this.#open.get(id)?.[Symbol.dispose]();
    this.#open.delete(id);
  }

  /** Reads the requested tasks, by the id or URI under which each was requested. Unknown and foreign ones are left out. */
  async #readOwned({ taskIds, uris }: Requested): Promise<ReadonlyMap<string, TaskInfo>> {
    const known = new Map<string, TaskInfo>();
    const read = new Map<string, Promise<TaskInfo | undefined>>();
    const get = (id: string) => {
      const reading = read.get(id) ?? this.#served.tasks.get(id, this.#owner).catch(orUndefined);
      read.set(id, reading);
      return reading;
    };
    const names = [...taskIds, ...uris.filter((uri) => this.#isResult(uri))];
    const tasks = await Promise.all(names.map((name) => get(idIn(name))));
    // In the order of the request, whichever was read first.
    for (const [index, name] of names.entries()) {
      const task = tasks[index];
      if (task && [task.id, resourceUri(task), logUri(task)].includes(name)) known.set(name, task);
    }
    return known;
  }

  /** Whether a URI is that of a result or a log, which the SDK knows nothing of. */
  #isResult(uri: string): boolean {
    return this.#served.surface.templates.some((template) => uri.startsWith(prefixOf(template)));
  }
}

/** The id in the URI of a result or a log, or the id itself. */
function idIn(name: string): string {
  const path = name.replace(/\/log$/, "");
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A task that cannot be read now must not be taken for an unknown one. */
function orUndefined(error: unknown): undefined {
  if (!(error instanceof TaskNotFound)) throw error;
}

function readAcknowledgement(message: JSONRPCMessage) {
  if (!isJSONRPCNotification(message) || message.method !== "notifications/subscriptions/acknowledged") {
    return undefined;
  }
  return Acknowledgement.safeParse(message.params).data;
}

function refuse(id: Id, code: number, message: string, data?: unknown) {
  return { answer: { jsonrpc: "2.0" as const, id, error: { code, message, ...(data !== undefined && { data }) } } };
}
