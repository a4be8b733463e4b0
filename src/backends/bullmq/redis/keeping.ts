/**
 * What Redis keeps besides tasks: a sorted set for each stream, whose members begin with the id of their event; keys; and
 * documents, which are the fields of one hash.
 *
 * @module
 */
import type { DocumentStore, KeyStore, StreamStore } from "../../../backend.ts";
import type { Signal } from "./events/signals.ts";
import type { RedisRecords } from "./records.ts";
import type { RedisScripts } from "./scripts/run.ts";

/** Calls Redis once; `what` names the call in its error. */
type Request = <T>(what: string, act: () => Promise<T>) => Promise<T>;

/** Keeps streams, for every process on the same Redis. */
export function streamsOn(scripts: RedisScripts, request: Request): StreamStore {
  const read = async (stream: string, after: string) => {
    const members = await scripts.send<readonly string[]>("streamRead", stream, after);
    return members.map((member) => {
      const end = member.indexOf("\n");
      return { id: member.slice(0, end), text: member.slice(end + 1) };
    });
  };
  return {
    append: (stream, { id, text }, ttl) =>
      request("store a message", () => scripts.send("streamAppend", stream, id, text, ttl)),
    readAfter: (stream, id) => request("read messages", () => read(stream, id)),
    clear: async (stream) =>
      void await request("delete messages", () => scripts.client.del(scripts.key(`stream:${stream}`))),
  };
}

/** Keeps keys, in the same place in which `records` looks for them. */
export function keysOn(records: RedisRecords, request: Request): KeyStore {
  return {
    readKey: (owner, key) => request("read a key", () => records.readKey(owner, key)),
    writeKey: (...change) => request("change a key", () => records.writeKey(...change)),
  };
}

/** Keeps documents. `onSignal` subscribes to the signals that tell of their changes. */
export function documentsOn(
  scripts: RedisScripts,
  onSignal: (listener: (signal: Signal) => void) => () => void,
  request: Request,
): DocumentStore {
  const key = scripts.key("documents");
  const list = async (prefix: string) => {
    const all = Object.entries(await scripts.client.hgetall(key)).map(([name, text]) => ({ name, text }));
    return all.filter(({ name }) => name.startsWith(prefix)).sort((a, b) => a.name < b.name ? -1 : 1);
  };
  const write = async (name: string, ...change: readonly (string | undefined)[]) => {
    const texts = change.flatMap((text) => text === undefined ? [0, ""] : [1, text]);
    return await scripts.send<number>("document", name, ...texts) === 1;
  };
  return {
    read: async (name) => await request("read a document", () => scripts.client.hget(key, name)) ?? undefined,
    list: (prefix) => request("list documents", () => list(prefix)),
    write: (...change) => request("change a document", () => write(...change)),
    watch: (listener) =>
      onSignal((signal) => {
        if (signal.kind === "document") return listener(signal.name);
        if (signal.kind === "gap") return listener(undefined);
      }),
  };
}
