/**
 * The keys by which repeated calls receive the same task.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { NewTask } from "../backend.ts";
import { JobsError } from "../errors.ts";
import { canonicalJson } from "../json.ts";
import type { RegisteredJob } from "../registry.ts";
import type { Json } from "../task.ts";
import { messageOf } from "../text.ts";

/** How long a task holds the caller's own key after its end, in ms: for as long as its result is kept. */
const WHILE_KEPT = Number.MAX_SAFE_INTEGER;

/** The options of a start. */
export interface StartOptions {
  /** How long the result is kept, in ms. Default: as the registration says. */
  readonly ttl?: number;
  /** Whether to take over the task of an earlier call with the same input whose caller has received no answer. */
  readonly adopt?: boolean;
  /** The caller's own key: starts with the same key receive the task of the first one. */
  readonly idempotencyKey?: string;
}

/** The keys of a start. Throws `JobsError` if the key function of the job fails. */
export function keysOf(
  { job, policy: { unique } }: RegisteredJob,
  input: Json,
  { adopt = false, idempotencyKey }: StartOptions,
): Pick<NewTask, "key" | "adopt"> {
  const orphan = adopt ? { adopt: orphanKey(job.name, input) } : {};
  if (idempotencyKey !== undefined) {
    const name = `call:${job.name}:${hash(idempotencyKey)}`;
    return { ...orphan, key: { name, window: WHILE_KEPT, fingerprint: hash(canonicalJson(input)) } };
  }
  if (unique === undefined || unique === false) return orphan;
  const { key, for: window = 0 } = unique === true ? {} : unique;
  const name = `unique:${job.name}:${hash(key ? ownKey(job.name, key, input) : canonicalJson(input))}`;
  return { ...orphan, key: { name, window } };
}

/** The key of a task whose caller has received no answer, so that the next call with the same input can take it over. */
export function orphanKey(job: string, input: Json): string {
  return `orphan:${job}:${hash(canonicalJson(input))}`;
}

function ownKey(job: string, key: (input: never) => unknown, input: Json): string {
  let own: unknown;
  try {
    own = key(input as never);
  } catch (cause) {
    throw new JobsError(`Cannot start ${job}: its key function failed: ${messageOf(cause)}`, { cause });
  }
  if (typeof own === "string") return own;
  throw new JobsError(`Cannot start ${job}: its key function returned ${typeof own}; it must return a text.`);
}

/** Web Crypto would start a thread for each call, which costs more than the rest of a plain call's keys. */
function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
