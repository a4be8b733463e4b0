/**
 * Documents in memory.
 *
 * @module
 */
import type { DocumentStore, NamedDocument } from "../../backend.ts";

/** Keeps the documents of this process; nothing outlives it. */
export class MemoryDocuments implements Omit<DocumentStore, "watch"> {
  readonly #texts = new Map<string, string>();
  readonly #changed: (name: string) => void;

  /** `changed` is called after each change. */
  constructor(changed: (name: string) => void) {
    this.#changed = changed;
  }

  read(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#texts.get(name));
  }

  list(prefix: string): Promise<readonly NamedDocument[]> {
    const found = [...this.#texts].filter(([name]) => name.startsWith(prefix)).map(([name, text]) => ({ name, text }));
    return Promise.resolve(found.sort((a, b) => a.name < b.name ? -1 : 1));
  }

  write(name: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    if (this.#texts.get(name) !== from) return Promise.resolve(false);
    if (to === undefined) this.#texts.delete(name);
    else this.#texts.set(name, to);
    // Asynchronously, as everywhere else.
    if (from !== to) queueMicrotask(() => this.#changed(name));
    return Promise.resolve(true);
  }
}
