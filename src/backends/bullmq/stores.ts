/**
 * What the backend keeps besides tasks, with the deadline and the errors of its calls.
 *
 * @module
 */
import type { DocumentStore, KeyStore, StreamStore } from "../../backend.ts";
import type { RedisStore } from "./redis/store.ts";

/** Calls Redis once; `what` names the call in its error. */
type Request = <T>(what: string, act: () => Promise<T>) => Promise<T>;

/** Streams, keys and documents. */
export interface Stores {
  readonly streams: StreamStore;
  readonly keys: KeyStore;
  readonly documents: DocumentStore;
}

/** What `store` keeps, through `request`. */
export function storesOf({ records, streams, documents }: RedisStore, request: Request): Stores {
  return {
    streams: {
      append: (stream, event, ttl) => request("store a message", () => streams.append(stream, event, ttl)),
      readAfter: (stream, id) => request("read messages", () => streams.readAfter(stream, id)),
      clear: (stream) => request("delete messages", () => streams.clear(stream)),
    },
    keys: {
      readKey: (owner, key) => request("read a key", () => records.readKey(owner, key)),
      writeKey: (...change) => request("change a key", () => records.writeKey(...change)),
    },
    documents: {
      read: (name) => request("read a document", () => documents.read(name)),
      list: (prefix) => request("list documents", () => documents.list(prefix)),
      write: (...change) => request("change a document", () => documents.write(...change)),
      watch: (listener) => documents.watch(listener),
    },
  };
}
