/**
 * Keys: of all starts with one key, one makes the task, and the others find it, however many processes start at once.
 *
 * A store only keeps which task a key names, and changes that if it is as expected. Whoever wants to make a task first lets
 * the key name it, and then stores the task only if the key still does. So a process that dies in between leaves a name
 * without a task, which others take over, and one that was merely slow stores nothing.
 *
 * @module
 */
import type { NewTask } from "../../../backend.ts";
import { InvalidInput } from "../../../errors.ts";
import { timeOfTaskId } from "../../../ids.ts";
import type { TaskInfo } from "../../../task.ts";
import { pause } from "../../../waiting.ts";
import { idTaken } from "../refusals.ts";

/** Keeps what a key names: the id of a task and, behind it, the fingerprint of its start. */
export interface KeyStore {
  /** What a key of an owner names. */
  named(owner: string, key: string): Promise<string | undefined>;
  /** Lets a key name `to`, or nothing, for {@linkcode KEPT_MS}, if it names `from` now. Resolves with whether it did. */
  rename(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean>;
}

/** What making a task with a key needs beside. */
export interface KeyedTasks {
  /** Reads a task that a key names; `undefined` if there is none. */
  read(id: string): Promise<TaskInfo | undefined>;
  /** Stores the new task; with a key, only if that names it. Resolves with the task, or `undefined` where it does not. */
  create(key?: string): Promise<TaskInfo | undefined>;
}

/** For how long a key names a task at most, in ms: 30 days, whatever its window. */
export const KEPT_MS: number = 30 * 24 * 3_600_000;

/** How many characters of what a key names are the id. */
export const ID_LENGTH = 36;

/** For how long a key may name a task that is not there yet, before another start takes it over, in ms. */
const PATIENCE_MS = 2_000;

/** The pause between two looks for that task, in ms. */
const PAUSE_MS = 10;

/** Stores a task, unless there is one that it may adopt or that has its key. Resolves with the task that it is now. */
export async function createKeyed(
  keys: KeyStore,
  tasks: KeyedTasks,
  task: Pick<NewTask, "id" | "owner" | "key" | "adopt">,
  now: () => number,
): Promise<TaskInfo> {
  const { id, owner, key, adopt } = task;
  const adopted = adopt === undefined ? undefined : await take(keys, tasks, owner, adopt, now);
  if (adopted) return adopted;
  while (true) {
    const from = key && await keys.named(owner, key.name);
    const holder = key && from !== undefined ? await readSoon(keys, tasks, owner, key.name, from, now) : undefined;
    if (key && from !== undefined && holder && hasKey(holder, key.window, now())) {
      if (from.slice(ID_LENGTH) === (key.fingerprint ?? "")) return holder;
      throw new InvalidInput("idempotency key", [{ path: "", message: "was used before with another input" }]);
    }
    if (key && !await keys.rename(owner, key.name, from, id + (key.fingerprint ?? ""))) continue;
    const made = await tasks.create(key?.name);
    if (made) return made;
    if (key === undefined) throw idTaken(id);
  }
}

/** Lets a key name a task, whichever it named before. */
export async function offer(keys: KeyStore, id: string, owner: string, key: string): Promise<void> {
  while (!await keys.rename(owner, key, await keys.named(owner, key), id));
}

/** Takes a key from the task that it was offered with. Resolves with that task, unless another start was faster. */
async function take(
  keys: KeyStore,
  tasks: KeyedTasks,
  owner: string,
  key: string,
  now: () => number,
): Promise<TaskInfo | undefined> {
  const from = await keys.named(owner, key);
  if (from === undefined) return undefined;
  // Read first: if the store fails here, the next start still finds the task.
  const task = await tasks.read(from.slice(0, ID_LENGTH));
  if (!await keys.rename(owner, key, from, undefined)) return undefined;
  return task && hasKey(task, Infinity, now()) ? task : undefined;
}

/** Whether a task still has its key. */
function hasKey(task: TaskInfo, window: number, now: number): boolean {
  switch (task.status) {
    case "COMPLETED":
      return task.finishedAt + Math.min(window, task.resultTtl) > now;
    case "FAILED":
    case "CANCELLED":
      return false;
    default:
      return !task.stopRequested;
  }
}

/**
 * Reads the task that a key names. One that another start is about to store is waited for; an older id is that of a task
 * which was deleted. Which clock made the id does not matter much: a start that is overtaken stores nothing.
 */
async function readSoon(
  keys: KeyStore,
  tasks: KeyedTasks,
  owner: string,
  key: string,
  named: string,
  now: () => number,
): Promise<TaskInfo | undefined> {
  const id = named.slice(0, ID_LENGTH);
  const started = performance.now();
  const isOld = now() - timeOfTaskId(id) > PATIENCE_MS;
  while (true) {
    const task = await tasks.read(id);
    if (task !== undefined || isOld || performance.now() - started > PATIENCE_MS) return task;
    await pause(PAUSE_MS);
    if (await keys.named(owner, key) !== named) return undefined;
  }
}
