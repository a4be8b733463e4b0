/**
 * The part of `npm:pg` that is used here. The package brings no types of its own.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { cutOff as cutOffSocket, type Socket } from "../../shared/cut_off.ts";
import { Deadline } from "../../shared/deadline.ts";

/** A query; with a name, each connection prepares it once. */
export interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

export interface Client {
  connect(): Promise<void>;
  query<Row = unknown>(query: string | Query): Promise<{ readonly rows: Row[] }>;
  on(event: "error" | "end", listener: (error?: Error) => void): void;
  on(event: "notification", listener: (message: { readonly payload?: string }) => void): void;
  end(): Promise<void>;
  /** The socket; an orderly end of the connection would wait for a server that may not answer. */
  readonly connection?: { readonly stream?: Socket & Pick<Duplex, "cork" | "uncork"> };
}

/** A connection that was taken from the pool. One with an error is closed as it is released. */
export interface PoolClient extends Client {
  release(error?: unknown): void;
}

export interface Pool {
  connect(): Promise<PoolClient>;
  on(event: "error", listener: (error: Error) => void): void;
  /** A connection was opened, taken from the pool, or closed. */
  on(event: "connect" | "acquire" | "remove", listener: (client: Client) => void): void;
  /** A connection was released to the pool. */
  on(event: "release", listener: (error: unknown, client: Client) => void): void;
  end(): Promise<void>;
}

export interface Config {
  readonly connectionString: string;
  readonly max?: number;
  /** The class of a pool's connections. */
  readonly Client?: Module["Client"];
  /** Whether a query is sent before the previous one is answered. */
  readonly pipeline?: boolean;
  /** Settings of the session, as `-c name=value`. */
  readonly options?: string;
}

/**
 * The driver's class of connections, with limits: how long an attempt to connect may take, and a query, in ms; 0 for no limit.
 * What takes longer rejects, and its connection is closed. The driver's own limits would take a pause of this process for a
 * silent server. The end of a connection is no error of the process: what uses it fails.
 */
export function limited({ Client }: Module, connect: number, query: number): Module["Client"] {
  const connects = new Deadline("Connection terminated due to connection timeout", connect);
  const queries = query > 0 ? new Deadline(SILENCE, query) : undefined;
  return class extends Client {
    constructor(config: Config) {
      super(config);
      // The pool listens to it too late: a connection may end as it becomes ready.
      this.on("error", () => {});
    }

    override async connect(done?: (error?: unknown) => void): Promise<void> {
      // An attempt that `end` interrupts is never settled by the driver.
      const ended = new Promise<never>((_, reject) => this.on("end", () => reject(new Error("Connection terminated"))));
      const connecting = this.#within(connects, Promise.race([super.connect(), ended]));
      if (done) await connecting.then(() => done(), done); // The pool calls it so.
      else await connecting;
    }

    override query<Row>(query: string | Query): Promise<{ readonly rows: Row[] }> {
      return this.#within(queries, super.query<Row>(query));
    }

    async #within<T>(limit: Deadline | undefined, act: Promise<T>): Promise<T> {
      return await (limit === undefined ? act : limit.wait(act, 0, () => cutOff(this)));
    }
  };
}

/** The error of a query that was not sent, because its connection had ended. */
export const NOT_SENT = "Client has encountered a connection error and is not queryable";

/** The error of a query that took longer. */
export const SILENCE = "Query read timeout";

/** Closes a connection: one that has ended anyway, or to a server that does not answer and would never close it. */
export function close(client: Client): void {
  client.connection?.stream?.destroy();
}

/** Closes a connection with what it has not delivered. The server logs that. */
export function cutOff(client: Client): void {
  const stream = client.connection?.stream;
  if (stream) cutOffSocket(stream);
}

/** What the package exports. */
export interface Module {
  readonly Client: new (config: Config) => Client;
  readonly Pool: new (config: Config) => Pool;
  readonly escapeIdentifier: (name: string) => string;
}
