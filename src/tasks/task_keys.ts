/**
 * The keys under which a repeated call finds its task.
 *
 * @module
 */
import type { NewTask } from "../backend.ts";
import { JobsError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { RegisteredJob } from "../registry.ts";
import type { Json } from "../task.ts";
import { messageOf } from "../text.ts";

/** How long a call's own key finds its task after that has ended, in ms: as long as its result is kept. */
const WHILE_KEPT = Number.MAX_SAFE_INTEGER;

/** What a start may say of itself. */
export interface StartOptions {
  /** For how long its result is kept, in ms; default: as the registration says. */
  readonly ttl?: number;
  /** Takes over the task of an earlier call with the same input whose caller is gone without an answer. */
  readonly adopt?: boolean;
  /** The caller's own key: a start with the same one finds the task of the first. */
  readonly idempotencyKey?: string;
}

/** The keys of a start. Throws `JobsError` if the key function of the job fails. */
export async function keysOf(
  { job, policy: { unique } }: RegisteredJob,
  input: Json,
  { adopt = false, idempotencyKey }: StartOptions,
): Promise<Pick<NewTask, "key" | "adopt">> {
  const orphan = adopt ? { adopt: await orphanKey(job.name, input) } : {};
  if (idempotencyKey !== undefined) {
    const name = `call:${job.name}:${await hash(idempotencyKey)}`;
    return { ...orphan, key: { name, window: WHILE_KEPT, fingerprint: await hash(canonical(input)) } };
  }
  if (unique === undefined || unique === false) return orphan;
  const { key, for: window = 0 } = unique === true ? {} : unique;
  const name = `unique:${job.name}:${await hash(key ? ownKey(job.name, key, input) : canonical(input))}`;
  return { ...orphan, key: { name, window } };
}

/** The key of a task whose caller is gone without an answer: the next call with the same input takes it over. */
export async function orphanKey(job: string, input: Json): Promise<string> {
  return `orphan:${job}:${await hash(canonical(input))}`;
}

function ownKey(job: string, key: (input: never) => unknown, input: Json): string {
  let own: unknown;
  try {
    own = key(input as never);
  } catch (cause) {
    throw new JobsError(`Cannot start ${job}: its key function failed: ${messageOf(cause)}`, { cause });
  }
  if (typeof own === "string") return own;
  throw new JobsError(`Cannot start ${job}: its key function returned ${typeof own}; return a text.`);
}

/** JSON whose keys are sorted, so that equal inputs are equal texts. */
function canonical(value: Json): string {
  return JSON.stringify(
    value,
    (_, item) => isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => a < b ? -1 : 1)) : item,
  );
}

async function hash(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}
