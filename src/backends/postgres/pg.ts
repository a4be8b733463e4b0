/**
 * The part of `npm:pg` that is used here. The package brings no types of its own.
 *
 * @module
 */

import type { Duplex } from "node:stream";

/** A query; with a name, each connection prepares it once. */
export interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** One connection. */
export interface Client {
  connect(): Promise<void>;
  query<Row = unknown>(query: string | Query): Promise<{ readonly rows: Row[] }>;
  on(event: "error" | "end", listener: (error?: Error) => void): void;
  on(event: "notification", listener: (message: { readonly payload?: string }) => void): void;
  removeListener(event: "error", listener: (error?: Error) => void): void;
  end(): Promise<void>;
  /** The socket; an orderly end of the connection would wait for a server that may not answer. */
  readonly connection?: { readonly stream?: Pick<Duplex, "destroy" | "cork" | "uncork"> };
}

/** A connection that was taken from the pool. One with an error is closed as it is released. */
export interface PoolClient extends Client {
  release(error?: unknown): void;
}

/** A pool of connections. */
export interface Pool {
  query<Row = unknown>(query: Query): Promise<{ readonly rows: Row[] }>;
  connect(): Promise<PoolClient>;
  on(event: "error", listener: (error: Error) => void): void;
  /** A connection was opened, taken from the pool, or closed. */
  on(event: "connect" | "acquire" | "remove", listener: (client: Client) => void): void;
  /** A connection was released to the pool. */
  on(event: "release", listener: (error: unknown, client: Client) => void): void;
  end(): Promise<void>;
}

/** How to connect. */
export interface Config {
  readonly connectionString: string;
  readonly connectionTimeoutMillis?: number;
  readonly query_timeout?: number;
  readonly max?: number;
  /** Whether a query is sent before the previous one is answered. */
  readonly pipeline?: boolean;
  /** Settings of the session, as `-c name=value`. */
  readonly options?: string;
}

/** What the package exports. */
export interface Module {
  readonly Client: new (config: Config) => Client;
  readonly Pool: new (config: Config) => Pool;
  readonly escapeIdentifier: (name: string) => string;
}
