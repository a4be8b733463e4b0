/**
 * What PostgreSQL notifies, on a connection that is opened again whenever it is lost.
 *
 * @module
 */
import type { PgModule, PgNotification } from "bullmq";
import { logError } from "../../../log/log_error.ts";
import { cut } from "./connection.ts";
import { doneWithin } from "../../../waiting.ts";

type PgClient = InstanceType<PgModule["Client"]>;

/** The pause before the next try to connect, in ms. */
const RETRY_MS = 200;

/** What a listener needs. */
export interface ListenerOptions {
  readonly channels: readonly string[];
  /** Makes a client that is not connected yet. */
  readonly makeClient: () => PgClient;
  readonly hear: (notification: PgNotification) => void;
  /** Called each time that it listens; what was notified before has not been heard. */
  readonly listening: () => void;
}

/** Listens until it is closed. */
export class PostgresListener {
  readonly #options: ListenerOptions;
  readonly #closed = Promise.withResolvers<"closed">();
  readonly #listening: Promise<void>;
  #open = true;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#listening = this.#listen();
  }

  /** Stops. */
  async close(): Promise<void> {
    this.#open = false;
    this.#closed.resolve("closed");
    await this.#listening;
  }

  async #listen(): Promise<void> {
    while (this.#open) {
      const client = this.#options.makeClient();
      const lost = Promise.withResolvers<"lost">();
      client.on("error", () => lost.resolve("lost"));
      client.on("end", () => lost.resolve("lost"));
      client.on("notification", this.#options.hear);
      try {
        // Nobody who closes waits for an answer that may not come.
        await Promise.race([this.#begin(client).then(() => lost.promise), this.#closed.promise]);
      } catch (error) {
        if (this.#open) logError("listen to PostgreSQL", error); // It is tried again.
      }
      cut(client);
      await client.end().catch(() => {});
      if (this.#open) await doneWithin(this.#closed.promise, RETRY_MS);
    }
  }

  async #begin(client: PgClient): Promise<void> {
    await client.connect();
    for (const channel of this.#options.channels) await client.query(`LISTEN ${channel}`);
    this.#options.listening();
  }
}
