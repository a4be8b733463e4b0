/**
 * Documents in KV. Each is kept as UTF-8: as a string, one character outside Latin-1 would double it.
 *
 * @module
 */
import type { DocumentStore, NamedDocument } from "../../../backend.ts";
import { type Committer, reading } from "../committer.ts";
import { documentKey } from "../keys.ts";

/** Keeps documents for every process that has the KV file open. */
export class KvDocuments implements Omit<DocumentStore, "watch"> {
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;

  /** Takes the file and its committer. */
  constructor(kv: Deno.Kv, committer: Committer) {
    this.#kv = kv;
    this.#committer = committer;
  }

  async read(name: string): Promise<string | undefined> {
    return textOf((await this.#get(name)).value);
  }

  async list(prefix: string): Promise<readonly NamedDocument[]> {
    const range = { prefix: documentKey(), start: documentKey(prefix) };
    const found = await reading(() => Array.fromAsync(this.#kv.list<Uint8Array>(range)));
    return found.map(({ key, value }) => ({ name: String(key.at(-1)), text: textOf(value) }))
      .filter(({ name }) => name.startsWith(prefix))
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async write(name: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const entry = await this.#get(name);
    if (textOf(entry.value) !== from) return false;
    if (from === to) return true;
    const value = to === undefined ? undefined : new TextEncoder().encode(to);
    const change = value === undefined ? { deletes: [entry.key] } : { sets: [{ key: entry.key, value }] };
    const bytes = 100 + (value?.length ?? 0);
    return await this.#committer.commit({ ...change, checks: [entry], document: name, bytes }) !== null;
  }

  #get(name: string): Promise<Deno.KvEntryMaybe<Uint8Array>> {
    return reading(() => this.#kv.get<Uint8Array>(documentKey(name)));
  }
}

function textOf(value: Uint8Array): string;
function textOf(value: Uint8Array | null): string | undefined;
function textOf(value: Uint8Array | null): string | undefined {
  return value === null ? undefined : new TextDecoder().decode(value);
}
