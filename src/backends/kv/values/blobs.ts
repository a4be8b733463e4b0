/**
 * Large texts, in pieces: a KV value holds 64 KiB.
 *
 * Pieces are written before the record refers to them, and would stay for ever if the process died in between. So a mark
 * is written first, which says when to delete the pieces. The commit that refers to them deletes the mark.
 *
 * @module
 */
import type { Committer, Write } from "../committer.ts";
import { blobKey, garbageKey } from "../keys.ts";
import { readAll, untilUnlocked } from "../reading.ts";

/** A text kept in pieces. */
export interface BlobRef {
  readonly id: string;
  readonly pieces: number;
  /** When its mark is due. */
  readonly dueAt: number;
}

/** A text: in the value of its key while it is small, else in pieces. */
export type Text = { readonly inline: string } | { readonly blob: BlobRef };

const PIECE_BYTES = 60_000;

/** How many marks, and about how many pieces, a sweep deletes at once: few, so that other processes can write in between. */
const PAGE_MARKS = 100;
const PAGE_PIECES = 500;

/** A mark; its value is the number of pieces. */
type Mark = Deno.KvEntry<number>;

/** How long pieces are kept that nothing refers to, in ms. */
const UNCLAIMED_MS = 600_000;

/** The pieces of a text, if it is large. */
export function blobOf(text: Text | undefined): BlobRef | undefined {
  return text && "blob" in text ? text.blob : undefined;
}

/** Writes a text in pieces. They are deleted again unless `claimBlob` is committed. */
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

/** What the commit that refers to a blob must delete. */
export function claimBlob(ref: BlobRef | undefined): NonNullable<Write["deletes"]> {
  return ref ? [garbageKey(ref.dueAt, ref.id)] : [];
}

/** What the commit that no longer refers to a blob must set. */
export function dropBlob(ref: BlobRef | undefined, now: number): NonNullable<Write["sets"]> {
  return ref ? [{ key: garbageKey(now, ref.id), value: ref.pieces }] : [];
}

/** Reads a text. Resolves with `undefined` if a piece is missing. */
export async function readBlob(kv: Deno.Kv, ref: BlobRef): Promise<string | undefined> {
  const keys = Array.from({ length: ref.pieces }, (_, number) => blobKey(ref.id, number));
  const decoder = new TextDecoder();
  let text = "";
  for (const { value } of await readAll<Uint8Array>(kv, keys)) {
    if (value === null) return undefined;
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

/** Deletes a page of pieces whose marks are due. Resolves with whether there may be more. */
export async function sweepBlobs(kv: Deno.Kv, committer: Committer, now: number): Promise<boolean> {
  const { marks, full } = await untilUnlocked(() => duePage(kv, now));
  await Promise.all(marks.map((mark) => sweepBlob(committer, mark)));
  return full;
}

async function duePage(kv: Deno.Kv, now: number): Promise<{ readonly marks: readonly Mark[]; readonly full: boolean }> {
  const marks: Mark[] = [];
  let pieces = 0;
  for await (const mark of kv.list<number>({ prefix: garbageKey(), end: garbageKey(now, "") }, { limit: PAGE_MARKS })) {
    marks.push(mark);
    pieces += mark.value;
    if (pieces >= PAGE_PIECES) return { marks, full: true };
  }
  return { marks, full: marks.length === PAGE_MARKS };
}

async function sweepBlob(committer: Committer, { key, value, versionstamp }: Mark): Promise<void> {
  const id = String(key.at(-1));
  // The mark is deleted with the last piece.
  const keys = [...Array.from({ length: value }, (_, number) => blobKey(id, number)), key];
  for (let at = 0; at < keys.length; at += PAGE_PIECES) {
    // Each commit checks the mark: a record that has come to refer to the pieces has deleted it.
    const checks = [{ key, versionstamp }];
    await committer.commit({ checks, deletes: keys.slice(at, at + PAGE_PIECES), bytes: 0 });
  }
}
