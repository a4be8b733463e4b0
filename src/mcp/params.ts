/**
 * The parameters of requests that mean the same in every revision. The schemas are made once: over HTTP a connection, with
 * all its handlers, may last for a single request.
 *
 * @module
 */
import { z } from "zod";
import { isObject } from "../json.ts";

export const ListParams = z.looseObject({ cursor: z.string().optional() });

/** The parameters of an operation on one task. */
export const TaskParams = z.looseObject({ taskId: z.string() });

export const CallParams = z.looseObject({
  name: z.string(),
  // A zod record silently drops a field named `__proto__`.
  arguments: z.custom<{ readonly [key: string]: unknown }>(isObject, "expected an object")
    .refine((given) => !Object.hasOwn(given, "__proto__"), "a field cannot be named __proto__").optional(),
  task: z.looseObject({ ttl: z.number().nonnegative().optional() }).optional(),
});

export type CallParams = z.infer<typeof CallParams>;
