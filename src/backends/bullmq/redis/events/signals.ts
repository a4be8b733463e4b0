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

/** A subscription to the signals, on a connection of its own. */
export class RedisSignals {
  readonly #connection: Redis;
  readonly #onError: OnError;
  readonly #closed = new AbortController();

  /** The signals of the Redis of `client`. */
  constructor(client: Redis, prefix: string, listener: (signal: Signal) => void, onError: OnError) {
    this.#onError = onError;
    this.#connection = openWaiting(client);
    this.#connection.on("message", (_channel, message) => {
      const signal = parse(message);
      if (signal) listener(signal);
    });
    const channel = signalChannel(prefix);
    this.#connection.on("ready", () => void this.#subscribe(channel, listener));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await closeForGood(this.#connection);
  }

  /** Signals that were sent before are lost, so each attempt is followed by a gap. */
  async #subscribe(channel: string, listener: (signal: Signal) => void): Promise<void> {
    const { signal } = this.#closed;
    while (this.#connection.status === "ready") {
      const subscribed = await this.#connection.subscribe(channel).then(() => true, (error) => {
        if (!signal.aborted) this.#onError(error, { where: "subscribe to the signals of other processes" });
      });
      if (signal.aborted) return;
      listener({ kind: "gap" });
      if (subscribed) return;
      await pause(RETRY_MS, signal);
    }
  }
}
