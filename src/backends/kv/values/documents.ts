/**
 * Documents in KV. Each is kept as UTF-8: as a string, one character outside Latin-1 would double it.
 *
 * @module
 */
import type { Store } from "../../shared/store/store.ts";
import type { Committer } from "../committer.ts";
import { documentKey } from "../keys.ts";
import { list, reading } from "../reading.ts";

/** Keeps documents for every process that has the KV file open. */
export function documentsIn(kv: Deno.Kv, committer: Committer): Store["documents"] {
  const get = (name: string) => reading(() => kv.get<Uint8Array>(documentKey(name)));
  return {
    read: async (name) => textOf((await get(name)).value),
    async list(prefix) {
      const range = { prefix: documentKey(), start: documentKey(prefix) };
      const found = await list<Uint8Array>(kv, range);
      return found.map(({ key, value }) => ({ name: String(key.at(-1)), text: textOf(value) }))
        .filter(({ name }) => name.startsWith(prefix))
        .sort((a, b) => a.name < b.name ? -1 : 1);
    },
    async write(name, from, to) {
      const entry = await get(name);
      if (textOf(entry.value) !== from) return false;
      if (from === to) return true;
      const value = to === undefined ? undefined : new TextEncoder().encode(to);
      const change = value === undefined ? { deletes: [entry.key] } : { sets: [{ key: entry.key, value }] };
      const bytes = 100 + (value?.length ?? 0);
      return await committer.commit({ ...change, checks: [entry], document: name, bytes }) !== null;
    },
  };
}

function textOf(value: Uint8Array): string;
function textOf(value: Uint8Array | null): string | undefined;
function textOf(value: Uint8Array | null): string | undefined {
  return value === null ? undefined : new TextDecoder().decode(value);
}
