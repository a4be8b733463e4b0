/**
 * Large inputs and results, in pieces: a KV value holds 64 KiB.
 *
 * A piece is written before anything refers to it, and would stay for ever if the process died in between. So a mark
 * is left first that says when to delete the pieces; whoever comes to refer to them deletes the mark in the same commit.
 *
 * @module
 */
import { type Committer, untilUnlocked, type Write } from "./committer.ts";
import { blobKey, garbageKey } from "./keys.ts";

/** A text kept in pieces. */
export interface BlobRef {
  readonly id: string;
  readonly pieces: number;
  /** When its mark is due. */
  readonly dueAt: number;
}

const PIECE_BYTES = 60_000;

/** How many keys KV reads at once. */
export const READ_AT_ONCE = 10;

/** Pieces that nothing refers to by then are deleted, in ms. */
const UNCLAIMED_MS = 600_000;

/** Writes a text in pieces. The result is to be deleted unless `claimBlob` is committed. */
export async function writeBlob(committer: Committer, text: string, expireIn?: number): Promise<BlobRef> {
  const bytes = new TextEncoder().encode(text);
  const ref = {
    id: crypto.randomUUID(),
    pieces: Math.ceil(bytes.length / PIECE_BYTES),
    dueAt: Date.now() + UNCLAIMED_MS,
  };
  await committer.commit({ sets: [{ key: garbageKey(ref.dueAt, ref.id), value: ref.pieces }], bytes: 100 });
  const pieces = Array.from({ length: ref.pieces }, (_, number) => {
    const value = bytes.slice(number * PIECE_BYTES, (number + 1) * PIECE_BYTES);
    return committer.commit({ sets: [{ key: blobKey(ref.id, number), value, expireIn }], bytes: value.length });
  });
  await Promise.all(pieces);
  return ref;
}

/** What to delete in the commit that refers to a blob. */
export function claimBlob(ref: BlobRef): NonNullable<Write["deletes"]> {
  return [garbageKey(ref.dueAt, ref.id)];
}

/** What to set in the commit that refers to a blob no longer. */
export function dropBlob(ref: BlobRef, now: number): NonNullable<Write["sets"]> {
  return [{ key: garbageKey(now, ref.id), value: ref.pieces }];
}

/** Reads a text back; `undefined` if a piece is gone. */
export async function readBlob(kv: Deno.Kv, ref: BlobRef): Promise<string | undefined> {
  const keys = Array.from({ length: ref.pieces }, (_, number) => blobKey(ref.id, number));
  const decoder = new TextDecoder();
  let text = "";
  for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
    const pieces = await untilUnlocked(() => kv.getMany<Uint8Array[]>(keys.slice(at, at + READ_AT_ONCE)));
    for (const { value } of pieces) {
      if (value === null) return undefined;
      text += decoder.decode(value, { stream: true });
    }
  }
  return text + decoder.decode();
}

/** Deletes the pieces whose marks are due. */
export async function sweepBlobs(kv: Deno.Kv, committer: Committer, now: number): Promise<void> {
  const due = kv.list<number>({ prefix: garbageKey(), end: garbageKey(now, "") }, { limit: 100 });
  for await (const { key, value: pieces, versionstamp } of due) {
    const id = String(key.at(-1));
    for (let number = 0; number < pieces; number += 500) {
      const keys = Array.from({ length: Math.min(500, pieces - number) }, (_, i) => blobKey(id, number + i));
      // The mark is checked each time: who refers to the pieces meanwhile has deleted it.
      await committer.commit({ checks: [{ key, versionstamp }], deletes: keys, bytes: 0 });
    }
    await committer.commit({ checks: [{ key, versionstamp }], deletes: [key], bytes: 0 });
  }
}
