/**
 * Keys: of all starts with one key, one creates the task and the others find it, even across processes at the same moment.
 *
 * A store keeps which task a key names, and changes that by compare-and-set. A start first lets the key name its new task, and
 * then stores the task only if the key still names it. So a process that dies in between leaves a key without a task, which
 * another start takes over, and a process that was merely slow stores nothing. Before a start takes a key over, it closes it:
 * the key then names an id that no task has, and whoever finds it so knows that its task is either there or never will be.
 *
 * @module
 */
import type { KeyStore, NewTask, TaskKey } from "../../../backend.ts";
import { KeyInUse } from "../../../errors.ts";
import { isTaskId, timeOfTaskId } from "../../../ids.ts";
import type { TaskInfo } from "../../../task.ts";
import { closed, holdsKey, idNamedBy, refuseOther, reopened, textNaming } from "../../../contract/task_key.ts";
import { pause } from "../../../waiting.ts";
import { idTaken } from "../refusals.ts";
import type { KeyCondition } from "./store.ts";

/** What creating a task with a key needs. */
export interface KeyedTasks {
  /** Reads a task that a key names; `undefined` if there is none. */
  read(id: string): Promise<TaskInfo | undefined>;
  /** Called before the new task is stored, each time that its key has come to name it. If it rejects, nothing is stored. */
  admit?(): Promise<void>;
  /** Stores the new task, if the condition holds. Resolves with the task, or `undefined` where it does not hold. */
  create(condition?: KeyCondition): Promise<TaskInfo | undefined>;
}

/** For how long a key may name a task that is not there yet, before another start takes it over, in ms. */
const STORE_TIMEOUT_MS = 2_000;

/** The pause between two reads of that task, in ms. */
const PAUSE_MS = 10;

/**
 * Stores a task, unless another one holds its key. Resolves with the task that holds the key. Rejects with `InvalidInput` if
 * that was started with another fingerprint, with `KeyInUse` if the key of `unless` has a text, and with `Error` if the id is
 * taken. `now` returns the time, in ms since the epoch.
 */
export async function createKeyed(
  keys: KeyStore,
  tasks: KeyedTasks,
  { id, owner, key, unless }: Pick<NewTask, "id" | "owner" | "key" | "unless">,
  now: () => number,
): Promise<TaskInfo> {
  if (key) {
    const text: KeyText = {
      read: () => keys.readKey(owner, key.name),
      write: (from, to) => keys.writeKey(owner, key.name, from, to),
    };
    // Somebody may have given the key a text that names no task.
    const read = async (id: string) => isTaskId(id) ? await tasks.read(id) : undefined;
    return await createNamed(text, { ...tasks, read }, id, key, now);
  }
  await tasks.admit?.();
  const made = await tasks.create(unless === undefined ? undefined : { name: unless, names: "nothing" });
  if (made) return made;
  throw unless === undefined ? idTaken(id) : new KeyInUse(unless);
}

/** The text of one key, which names its task. */
interface KeyText {
  read(): Promise<string | undefined>;
  /** As `KeyStore.writeKey`. */
  write(from: string | undefined, to: string | undefined): Promise<boolean>;
}

async function createNamed(
  text: KeyText,
  tasks: KeyedTasks,
  id: string,
  key: TaskKey,
  now: () => number,
): Promise<TaskInfo> {
  const named = textNaming(id, key);
  while (true) {
    let from = await text.read();
    if (from !== undefined) {
      const holder = await readSoon(text, tasks, from, now());
      if (holder && holdsKey(holder, key, now())) {
        refuseOther(from, key);
        return holder;
      }
      if (!holder) {
        from = await close(text, tasks, from);
        if (from === undefined) continue;
      }
    }
    if (!await text.write(from, named)) continue;
    try {
      await tasks.admit?.();
    } catch (error) {
      await text.write(named, from); // Others wait for the task.
      throw error;
    }
    const made = await tasks.create({ name: key.name, names: "task" });
    if (made) return made;
  }
}

/**
 * Makes sure that the task which a key names is not there, and can be stored no more. Resolves with the text of the key then,
 * or with `undefined` if the key has another text by now, or the task is there.
 */
async function close(text: KeyText, tasks: KeyedTasks, named: string): Promise<string | undefined> {
  const [shut, open] = [closed(named), reopened(named)];
  if (named !== shut && !await text.write(named, shut)) return undefined;
  // It may just have been stored. Until this is known, the key must not name the task of another start.
  if (!await tasks.read(idNamedBy(open))) return shut;
  await text.write(shut, open);
}

/**
 * Reads the task that a key names. One that another start is about to store is waited for; an older id is that of a task
 * which was deleted. Which clock made the id does not matter: a start that is overtaken stores nothing.
 */
async function readSoon(text: KeyText, tasks: KeyedTasks, named: string, now: number): Promise<TaskInfo | undefined> {
  const id = idNamedBy(named);
  const started = performance.now();
  const isOld = !isTaskId(id) || now - timeOfTaskId(id) > STORE_TIMEOUT_MS;
  while (true) {
    const task = await tasks.read(id);
    if (task !== undefined || isOld || performance.now() - started > STORE_TIMEOUT_MS) return task;
    await pause(PAUSE_MS);
    if (await text.read() !== named) return undefined;
  }
}
