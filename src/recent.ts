/**
 * What is newest: maps that keep only the newest entries, and which of two states of a task is the newer one.
 *
 * @module
 */
import { isFinished, type TaskInfo } from "./task.ts";

/** Grows with every state of a task. Its end comes after all others, also where a failover has lost some of these. */
export function orderOf(task: TaskInfo): number {
  return isFinished(task) ? Number.MAX_SAFE_INTEGER : task.revision;
}

/** Whether one state of a task is newer than another, or than none. */
export function isNewer(task: TaskInfo, known: TaskInfo | undefined): boolean {
  return known === undefined || orderOf(task) > orderOf(known);
}

/** Sets an entry as the newest of the map. If the map then has more than `most`, deletes the oldest and returns it. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, most: number): readonly [K, V] | undefined {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return undefined;
  const [oldest] = map;
  if (oldest) map.delete(oldest[0]);
  return oldest;
}
