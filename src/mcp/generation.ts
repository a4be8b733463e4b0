/**
 * How one generation of MCP tasks takes part in `tools/list` and `tools/call`.
 *
 * @module
 */
import type { Result } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { SurfaceTool } from "../exposure/surface.ts";
import { isObject } from "../json.ts";
import type { TaskInfo } from "../task.ts";
import type { RequestContext } from "./host.ts";

/** The parameters of a list. Schemas are made once: over HTTP a connection, with all its handlers, lasts one request. */
export const ListParams = z.looseObject({ cursor: z.string().optional() });

/** What the SDK's own handlers list. */
export const Listed = z.array(z.unknown()).default([]);

/** The parameters of `tools/call`, of every revision. */
export const CallParams = z.looseObject({
  name: z.string(),
  // A record of zod drops a field named `__proto__` without a word.
  arguments: z.custom<{ readonly [key: string]: unknown }>(isObject, "expected an object")
    .refine((given) => !Object.hasOwn(given, "__proto__"), "a field cannot be named __proto__").optional(),
  task: z.looseObject({ ttl: z.number().nonnegative().optional() }).optional(),
});

/** The parameters of `tools/call`, as they were parsed. */
export type CallParams = z.infer<typeof CallParams>;

/** That a call is to become a task. */
export interface TaskWish {
  /** How long the client wants the result to be kept, in ms. */
  readonly ttl?: number;
  /** Whether the client takes a task, or an error of the protocol, and nothing else. */
  readonly demanded: boolean;
}

/** The task side of a connection's tools. */
export interface TaskCalls {
  /** What `tools/list` adds to a tool that can be a task. */
  listed(support: "optional" | "required"): { readonly [key: string]: unknown };
  /**
   * Whether a call becomes a task. Throws where the client had to ask for one, or must not have.
   * `tool` is absent for a tool that is not ours.
   */
  wish(tool: SurfaceTool | undefined, params: CallParams, ctx: RequestContext): TaskWish | undefined;
  /** What a call answers that has become this task. */
  created(task: TaskInfo, ctx: RequestContext): Result;
  /**
   * Puts what a task asks to the client whose call waits for it. Whether the call is to return with the questions, and
   * the client to call again with the answers. `ended` aborts once the call waits no more.
   */
  ask(task: TaskInfo, ctx: RequestContext, ended: AbortSignal): boolean;
}

/** Where a surface has no tasks. */
export const NO_TASKS: TaskCalls = {
  listed: () => ({}),
  wish: () => undefined,
  created: (task) => {
    throw new TypeError(`Task ${task.id} was created on a connection without tasks.`);
  },
  ask: () => false,
};
