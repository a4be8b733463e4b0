/**
 * Tasks in `subscriptions/listen` (2026-07-28). The SDK serves the method and knows no tasks; a listener stands between
 * it and the wire of one connection, sees every message both ways, and adds what the extension says of tasks.
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
import { prefixOf, resourceUri } from "../../exposure/answers/call_result.ts";
import { fits } from "../../text.ts";
import type { TaskInfo } from "../../task.ts";
import { toProtocolError } from "../errors.ts";
import type { Peer } from "../peer.ts";
import type { Served } from "../served.ts";
import { sendable } from "../messages/sendable.ts";
import { TaskSubscription, type Write } from "./subscription.ts";
import { missingExtension } from "./tasks.ts";
import { declaresTasks } from "./wire.ts";

type Id = string | number;

/** A subscription to nothing. With it the SDK keeps a stream open that else would carry tasks alone. */
const NOTHING = "mcp://results/";

/** The most tasks and resources of one subscription. */
const MAX_TASKS = 1_000;

const Filter = z.looseObject({
  taskIds: z.array(z.string()).max(MAX_TASKS).optional(),
  resourceSubscriptions: z.array(z.string()).max(MAX_TASKS).optional(),
});

const Acknowledgement = z.looseObject({
  notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()).optional() }),
  _meta: z.looseObject({ [SUBSCRIPTION_ID_META_KEY]: z.union([z.string(), z.number()]) }),
});

/** What a client has asked to hear of. */
interface Wanted {
  readonly taskIds: readonly string[];
  readonly uris: readonly string[];
  readonly capabilities: unknown;
}

/** The task subscriptions of one connection. */
export class TaskListener implements Disposable {
  readonly #served: Pick<Served, "surface" | "tasks">;
  readonly #owner: string;
  readonly #wanted = new Map<Id, Wanted>();
  readonly #open = new Map<Id, TaskSubscription>();
  /** What the SDK still takes for open, and was refused. */
  readonly #refused = new Set<Id>();

  constructor(served: Pick<Served, "surface" | "tasks">, { owner }: Peer) {
    this.#served = served;
    this.#owner = owner;
  }

  /** Takes a message of the client: what the SDK gets of it, or what is answered instead. */
  receive(message: JSONRPCMessage): { readonly forward: JSONRPCMessage } | { readonly answer: JSONRPCMessage } {
    if (isJSONRPCNotification(message) && message.method === "notifications/cancelled") {
      const id = message.params?.requestId;
      if (typeof id === "string" || typeof id === "number") this.#end(id);
    }
    const listens = isJSONRPCRequest(message) && message.method === "subscriptions/listen";
    const { tasks, templates } = this.#served.surface;
    if (!listens || (tasks === undefined && templates.length === 0)) return { forward: message };
    const { id, params = {} } = message;
    const filter = params.notifications;
    // What is no filter at all is the SDK's to refuse.
    if (typeof filter !== "object" || filter === null) return { forward: message };
    const parsed = Filter.safeParse(filter);
    if (!parsed.success) {
      return refuse(id, INVALID_PARAMS, `Invalid params: notifications: ${parsed.error.issues[0]?.message}`);
    }
    // The acknowledgement says it once more.
    if (!fits(filter)) return refuse(id, INVALID_PARAMS, "Invalid params: notifications: the filter is too large.");
    const { resourceSubscriptions: uris = [] } = parsed.data;
    const taskIds = tasks && parsed.data.taskIds;
    const capabilities = Reflect.get(params._meta ?? {}, CLIENT_CAPABILITIES_META_KEY);
    if (taskIds && typeof capabilities === "object" && !declaresTasks(capabilities)) {
      const { code, message, data } = missingExtension();
      this.#served.tasks.refuse(this.#owner, "read", message);
      return refuse(id, code, message, data);
    }
    this.#wanted.set(id, { taskIds: taskIds ?? [], uris, capabilities });
    const notifications = taskIds ? { ...filter, resourceSubscriptions: [...uris, NOTHING] } : filter;
    return { forward: { ...message, params: { ...params, notifications } } };
  }

  /** Passes on a message of the SDK. */
  async pass(message: JSONRPCMessage, pass: Write): Promise<void> {
    if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
      if (message.id !== undefined) this.#end(message.id);
      if (message.id !== undefined && this.#refused.delete(message.id)) return;
    }
    const acknowledged = readAcknowledgement(message);
    const id = acknowledged?._meta[SUBSCRIPTION_ID_META_KEY];
    const wanted = id === undefined ? undefined : this.#wanted.get(id);
    if (acknowledged === undefined || id === undefined || wanted === undefined) return await pass(message);
    const write: Write = (message) => pass(sendable(message));
    let known: ReadonlyMap<string, TaskInfo>;
    try {
      known = await this.#known(wanted);
    } catch (error) {
      this.#wanted.delete(id);
      this.#refused.add(id);
      const { code, message, data } = toProtocolError(error);
      return await write(refuse(id, code, message, data).answer);
    }
    const taskIds = wanted.taskIds.filter((taskId) => known.has(taskId));
    const uris = wanted.uris.filter((uri) => !this.#isResult(uri) || known.has(uri));
    const { resourceSubscriptions, ...rest } = acknowledged.notifications;
    const notifications = {
      ...rest,
      ...(resourceSubscriptions && uris.length > 0 && { resourceSubscriptions: uris }),
      ...(wanted.taskIds.length > 0 && { taskIds }),
    };
    await write({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { ...acknowledged, notifications },
    });
    // It may have ended while its tasks were read.
    if (!this.#wanted.delete(id)) return;
    const tasks = new Set(known.values());
    const subscription = new TaskSubscription(this.#served, { ...wanted, taskIds, uris, id }, write);
    this.#open.set(id, subscription);
    for (const task of tasks) subscription.follow(task);
  }

  /** Ends every subscription. */
  [Symbol.dispose](): void {
    for (const id of [...this.#wanted.keys(), ...this.#open.keys()]) this.#end(id);
  }

  #end(id: Id): void {
    this.#wanted.delete(id);
    this.#open.get(id)?.[Symbol.dispose]();
    this.#open.delete(id);
  }

  /** The owner's tasks among the wanted ones, by what they are wanted as: one unknown or foreign is left out. */
  async #known({ taskIds, uris }: Wanted): Promise<ReadonlyMap<string, TaskInfo>> {
    const known = new Map<string, TaskInfo>();
    const read = new Map<string, Promise<TaskInfo | undefined>>();
    const get = (id: string) => {
      const reading = read.get(id) ?? this.#served.tasks.get(id, this.#owner).catch(orUndefined);
      read.set(id, reading);
      return reading;
    };
    const names = [...taskIds, ...uris.filter((uri) => this.#isResult(uri))];
    const tasks = await Promise.all(names.map((name) => get(name.slice(name.lastIndexOf("/") + 1))));
    // In the order in which they were asked for, whichever was read first.
    for (const [index, name] of names.entries()) {
      const task = tasks[index];
      if (task && (task.id === name || resourceUri(task) === name)) known.set(name, task);
    }
    return known;
  }

  /** Whether a URI is that of a result, and so no business of the SDK. */
  #isResult(uri: string): boolean {
    return this.#served.surface.templates.some((template) => uri.startsWith(prefixOf(template)));
  }
}

/** What cannot be read now must not be taken for unknown. */
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
