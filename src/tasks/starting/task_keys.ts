/**
 * The keys by which repeated calls receive the same task.
 *
 * @module
 */
import { hash } from "node:crypto";
import type { TaskKey } from "../../backend.ts";
import { type ListName, listOfIdentity } from "../callers/offer_lists.ts";
import { ToolError } from "../../errors.ts";
import { canonicalJson } from "../../json.ts";
import { type OnError, RUN_A_KEY_FUNCTION } from "../../log/on_error.ts";
import type { Job } from "../../job.ts";
import type { RegisteredJob } from "../../registry.ts";
import type { Json } from "../../task.ts";

/** How long a task holds the caller's own key after its end, in ms: for as long as its result is kept. */
const WHILE_KEPT = Number.MAX_SAFE_INTEGER;

/** The key of a start, made of the idempotency key that its caller gave, if any. */
export function callersKeyOf({ name: job }: Job, input: Json, idempotencyKey: string | undefined): TaskKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  const name = `call:${job}:${sha256(idempotencyKey)}`;
  return { name, window: WHILE_KEPT, fingerprint: sha256(canonicalJson(input)) };
}

/** The key that makes starts of a unique job equal. Throws `KeyUnknown`. */
export function uniqueKeyOf(registered: RegisteredJob, input: Json): TaskKey | undefined {
  const { job, policy: { unique } } = registered;
  if (unique === undefined || unique === false) return undefined;
  const { for: window = 0 } = unique === true ? {} : unique;
  return { name: `unique:${job.name}:${identityOf(registered, input)}`, window };
}

/**
 * The list of the tasks that were started with the same input and are left to the next call. Throws
 * `KeyUnknown`.
 */
export function listOf(registered: RegisteredJob, input: Json, owner: string): ListName {
  return listOfIdentity(registered.job.name, identityOf(registered, input), owner);
}

/** What equal starts of a job have in common. */
function identityOf({ job, policy: { unique } }: RegisteredJob, input: Json): string {
  const key = typeof unique === "object" ? unique.key : undefined;
  return sha256(key ? ownKey(job.name, key, input) : canonicalJson(input));
}

function ownKey(job: string, key: (input: never) => unknown, input: Json): string {
  let own: unknown;
  try {
    own = key(input as never);
  } catch (cause) {
    throw new KeyUnknown(job, "failed", { cause });
  }
  if (typeof own === "string" && own !== "") return own;
  // An empty one would give all starts without a key the same task.
  const what = own === "" ? "an empty text" : `${own === null ? "null" : typeof own} instead of a text`;
  throw new KeyUnknown(job, `returned ${what}`);
}

/**
 * The key function of a job has thrown, which is the cause, or returned no text. The model gets this as the result of its
 * tool: with another input the function may work. What it threw is for the operator alone.
 */
class KeyUnknown extends ToolError {
  /** Names the job, and says what its key function has done. */
  constructor(job: string, did: string, options?: ErrorOptions) {
    super(
      `Cannot start ${job}: its key function ${did}, so nothing was started. The same call would fail again; another ` +
        "input may work. Whoever runs this server can read the cause in its error log.",
      options,
    );
  }
}

/** Tells the operator why a key is unknown, and throws the error again. */
export function reportKeyUnknown(onError: OnError, job: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof KeyUnknown) {
      if ("cause" in error) onError(error.cause, { where: RUN_A_KEY_FUNCTION, job });
      else onError(error, { where: "use what a key function returned", job });
    }
    throw error;
  };
}

/** Web Crypto would start a thread for each call, which costs more than the rest of a plain call's keys. */
function sha256(text: string): string {
  return hash("sha256", text);
}
