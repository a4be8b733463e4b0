/**
 * Signals between processes, through a Redis channel: a task is to stop, a question has its answer, a queue is new, a
 * document has changed.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { pause } from "../../../../waiting.ts";
import type { OnError } from "../../../../log/on_error.ts";
import { closeForGood } from "../../internals.ts";
import { openWaiting } from "../connection.ts";
import { signalChannel } from "../keys.ts";

/** A signal; `gap` where signals may have been missed. */
export type Signal =
  | { readonly kind: "stop" | "answer"; readonly id: string }
  | { readonly kind: "queue"; readonly queue: string; readonly since: number }
  | { readonly kind: "document"; readonly name: string }
  | { readonly kind: "gap" };

/** The pause before the next attempt after Redis has refused to subscribe, in ms. */
const RETRY_MS = 5_000;

/** Parses a message: `stop <id>`, `answer <id>`, `queue <since> <name>` or `document <name>`, as the scripts send them. */
function parse(message: string): Signal | undefined {
  const [kind, id = "", ...queue] = message.split(" ");
  if (kind === "stop" || kind === "answer") return { kind, id };
  if (kind === "document") return { kind, name: message.slice(kind.length + 1) };
  if (kind === "queue") return { kind, since: Number(id), queue: queue.join(" ") };
}

/** Subscribes to the signals on the Redis of `client`, on a connection of its own. Returns a function that ends that. */
export function subscribeToSignals(
  client: Redis,
  prefix: string,
  listener: (signal: Signal) => void,
  onError: OnError,
): () => Promise<void> {
  const connection = openWaiting(client);
  const closed = new AbortController();
  const { signal } = closed;
  /** Signals that were sent before are lost, so each attempt is followed by a gap. */
  const subscribe = async () => {
    while (connection.status === "ready") {
      const subscribed = await connection.subscribe(signalChannel(prefix)).then(() => true, (error) => {
        if (!signal.aborted) onError(error, { where: "subscribe to the signals of other processes" });
      });
      if (signal.aborted) return;
      listener({ kind: "gap" });
      if (subscribed) return;
      await pause(RETRY_MS, signal);
    }
  };
  connection.on("message", (_channel, message) => {
    const parsed = parse(message);
    if (parsed) listener(parsed);
  });
  connection.on("ready", () => void subscribe());
  return async () => {
    closed.abort();
    await closeForGood(connection);
  };
}
