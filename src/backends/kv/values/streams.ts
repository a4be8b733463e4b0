/**
 * Message streams in KV. KV deletes entries some time after they have expired, so expired ones are left out when read.
 *
 * @module
 */
import type { StreamEvent, StreamStore } from "../../../backend.ts";
import { type BlobRef, claimBlob, readBlob, writeBlob } from "./blobs.ts";
import type { Committer } from "../committer.ts";
import { streamKey } from "../keys.ts";
import { list, reading } from "../reading.ts";
import { MAX_TEXT } from "../value_limits.ts";

interface Stored {
  readonly text: string | BlobRef;
  readonly expiresAt: number;
}

/** Keeps messages for every process that has the KV file open. */
export function streamsIn(kv: Deno.Kv, committer: Committer): StreamStore {
  const readAfter = async (stream: string, id: string): Promise<readonly StreamEvent[]> => {
    const events: StreamEvent[] = [];
    const range = { prefix: streamKey(stream), start: streamKey(stream, id) };
    for await (const { key, value: { text, expiresAt } } of kv.list<Stored>(range)) {
      const found = String(key.at(-1));
      if (found === id || expiresAt <= Date.now()) continue;
      const whole = typeof text === "string" ? text : await readBlob(kv, text);
      if (whole !== undefined) events.push({ id: found, text: whole });
    }
    return events;
  };
  return {
    async append(stream, { id, text }, ttl) {
      // The pieces of a long text expire with the entry, even if the stream is cleared earlier.
      const kept = text.length <= MAX_TEXT ? text : await writeBlob(committer, text, ttl);
      const value: Stored = { text: kept, expiresAt: Date.now() + ttl };
      const [bytes, deletes] = typeof kept === "string" ? [2 * kept.length, []] : [200, claimBlob(kept)];
      await committer.commit({ sets: [{ key: streamKey(stream, id), value, expireIn: ttl }], deletes, bytes });
    },
    readAfter: (stream, id) => reading(() => readAfter(stream, id)),
    async clear(stream) {
      const entries = await list(kv, { prefix: streamKey(stream) });
      await Promise.all(entries.map(({ key }) => committer.commit({ deletes: [key], bytes: 0 })));
    },
  };
}
