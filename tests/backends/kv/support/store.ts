import type { Committer } from "../../../../src/backends/kv/committer.ts";
import { KvStore, type KvStoreOptions } from "../../../../src/backends/kv/store.ts";
import type { KvEntry } from "../../../../src/backends/kv/stored.ts";
import { assert } from "../../../../tools/std.ts";

export const OWNER = "ann";

/** So long that no timer of a lease fires while a test runs: the tests say when it is time. */
export const LEASE = 600_000;

/** A store as a backend opens it, but with a lease that does not end. */
export function storeOf(kv: Deno.Kv, committer: Committer, options: Partial<KvStoreOptions> = {}): KvStore {
  return new KvStore(kv, committer, { lease: LEASE, ...options });
}

/** Reads a task that is there. */
export async function found(store: KvStore, id: string): Promise<KvEntry> {
  const entry = await store.read(id, OWNER);
  assert(entry);
  return entry;
}
