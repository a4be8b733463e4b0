/**
 * The signals on Redis, heard through a subscription.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { doneWithin } from "../../../waiting.ts";
import { logError } from "../../../log/log_error.ts";
import { closable, end } from "./connection.ts";
import { withPulse } from "./pulse.ts";
import { readSignal } from "../signals.ts";
import type { Signal } from "../database.ts";

/** The pause after Redis has refused to subscribe, in ms. */
const RETRY_MS = 5_000;

/** Hears the signals of one channel, on a connection of its own. */
export class RedisSignals {
  readonly #connection: Redis;
  readonly #closed = Promise.withResolvers<void>();
  #open = true;

  /** `patient` is the connection to copy. */
  constructor(patient: Redis, channel: string, tell: (signal: Signal) => void) {
    this.#connection = withPulse(closable(patient.duplicate()));
    this.#connection.on("error", () => {});
    this.#connection.on("message", (_channel, message) => {
      const signal = readSignal(message);
      if (signal) tell(signal);
    });
    this.#connection.on("ready", () => void this.#subscribe(channel, tell));
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#closed.resolve();
    await end(this.#connection);
  }

  /** What was told while nobody subscribed has not been heard: after each try, who listens is told of a gap. */
  async #subscribe(channel: string, tell: (signal: Signal) => void): Promise<void> {
    while (this.#connection.status === "ready") {
      const subscribed = await this.#connection.subscribe(channel).then(() => true, (error) => {
        if (this.#open) logError("subscribe to the signals of other processes", error);
      });
      if (!this.#open) return;
      tell({ kind: "gap" });
      if (subscribed || await doneWithin(this.#closed.promise, RETRY_MS)) return;
    }
  }
}
