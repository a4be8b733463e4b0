/**
 * Which task the due time of a schedule had, also once its key is deleted.
 *
 * @module
 */
import type { Backend } from "../../backend.ts";

/** A backend whose keys leave a copy when a schedule deletes them. */
export function keepingKeys<B extends Backend>(backend: B): B {
  const { keys } = backend;
  const kept: Backend["keys"] = {
    readKey: (owner, key) => keys.readKey(owner, key),
    writeKey: async (owner, key, from, to) => {
      // First, since whoever does it may be killed.
      if (to === undefined && key.startsWith("schedule:")) await keys.writeKey(owner, copyOf(key), undefined, from);
      return await keys.writeKey(owner, key, from, to);
    },
  };
  return new Proxy(backend, {
    get(target, name) {
      const value = name === "keys" ? kept : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The id of the task of a due time, `undefined` where there is none, in a store that only such backends have used. */
export async function taskOfDueTime(
  { keys }: Pick<Backend, "keys">,
  owner: string,
  schedule: string,
  dueAt: number,
): Promise<string | undefined> {
  const key = `schedule:${schedule}:${dueAt}`;
  return await keys.readKey(owner, key) ?? await keys.readKey(owner, copyOf(key));
}

function copyOf(key: string): string {
  return `deleted:${key}`;
}
