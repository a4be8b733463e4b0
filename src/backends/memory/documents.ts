/**
 * Documents in memory.
 *
 * @module
 */
import type { Store } from "../shared/store/store.ts";

/** Keeps the documents of this process; nothing outlives it. `changed` is called after each change. */
export function documentsIn(changed: (name: string) => void): Store["documents"] {
  const texts = new Map<string, string>();
  return {
    read: (name) => Promise.resolve(texts.get(name)),
    list(prefix) {
      const found = [...texts].filter(([name]) => name.startsWith(prefix)).map(([name, text]) => ({ name, text }));
      return Promise.resolve(found.sort((a, b) => a.name < b.name ? -1 : 1));
    },
    write(name, from, to) {
      if (texts.get(name) !== from) return Promise.resolve(false);
      if (to === undefined) texts.delete(name);
      else texts.set(name, to);
      // Asynchronously, as everywhere else.
      if (from !== to) queueMicrotask(() => changed(name));
      return Promise.resolve(true);
    },
  };
}
