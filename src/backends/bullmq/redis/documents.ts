/**
 * Documents on Redis: the fields of one hash.
 *
 * @module
 */
import type { DocumentStore, NamedDocument } from "../../../backend.ts";
import type { Signal } from "./events/signals.ts";
import { ownPrefix } from "./keys.ts";
import type { RedisScripts } from "./scripts/run.ts";

/** Keeps documents for every process on the same Redis. */
export class RedisDocuments implements DocumentStore {
  readonly #scripts: RedisScripts;
  readonly #key: string;
  readonly #onSignal: (listener: (signal: Signal) => void) => () => void;

  constructor(scripts: RedisScripts, onSignal: (listener: (signal: Signal) => void) => () => void) {
    this.#scripts = scripts;
    this.#key = `${ownPrefix(scripts.prefix)}documents`;
    this.#onSignal = onSignal;
  }

  async read(name: string): Promise<string | undefined> {
    return await this.#scripts.client.hget(this.#key, name) ?? undefined;
  }

  async list(prefix: string): Promise<readonly NamedDocument[]> {
    const found = Object.entries(await this.#scripts.client.hgetall(this.#key))
      .filter(([name]) => name.startsWith(prefix));
    return found.map(([name, text]) => ({ name, text })).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async write(name: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const texts = [from, to].flatMap((text) => text === undefined ? [0, ""] : [1, text]);
    return await this.#scripts.run<number>("document", name, ...texts) === 1;
  }

  watch(listener: (name: string | undefined) => void): () => void {
    return this.#onSignal((signal) => {
      if (signal.kind === "document") return listener(signal.name);
      if (signal.kind === "gap") return listener(undefined);
    });
  }
}
