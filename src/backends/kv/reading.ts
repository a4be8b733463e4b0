/**
 * Reads the KV file, which other processes may lock for a moment.
 *
 * @module
 */
import { BackendError, JobsError } from "../../errors.ts";
import { pause } from "../../waiting.ts";

/** The most keys that KV takes in one read. */
const READ_AT_ONCE = 10;

/** How long an operation is repeated while other processes lock the database, in ms. */
const LOCKED_FOR_MS = 10_000;

/** The longest pause before the next try, in ms. It starts at the time of one commit and doubles, with jitter. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 20;

/** Reads, once no other process locks the file. Rejects with `BackendError` if the file fails. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await untilUnlocked(read);
  } catch (cause) {
    throw cause instanceof JobsError ? cause : new BackendError(`Cannot read the KV file: ${cause}`, { cause });
  }
}

/** Reads keys, however many, and returns their entries in the same order. */
export async function readAll<T>(kv: Deno.Kv, keys: readonly Deno.KvKey[]): Promise<readonly Deno.KvEntryMaybe<T>[]> {
  const parts = Array.from({ length: Math.ceil(keys.length / READ_AT_ONCE) }, (_, part) => {
    return keys.slice(part * READ_AT_ONCE, (part + 1) * READ_AT_ONCE);
  });
  return (await Promise.all(parts.map((part) => reading(() => kv.getMany<T[]>(part))))).flat();
}

/** Reads the entries of a range, in the order of their keys. */
export function list<T>(
  kv: Deno.Kv,
  range: Deno.KvListSelector,
  options?: Deno.KvListOptions,
): Promise<Deno.KvEntry<T>[]> {
  return reading(() => Array.fromAsync(kv.list<T>(range, options)));
}

/** Repeats an operation while other processes lock the file. What fails because of a lock has written nothing. */
export async function untilUnlocked<T>(operation: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let longest = FIRST_PAUSE_MS;
  while (true) {
    try {
      return await operation();
    } catch (error) {
      // Commits and reads throw a TypeError, opening throws a plain Error.
      const locked = error instanceof Error && error.message.includes("database is locked");
      if (!locked || performance.now() - start > LOCKED_FOR_MS) throw error;
      await pause(Math.random() * longest);
      longest = Math.min(2 * longest, LONGEST_PAUSE_MS);
    }
  }
}
