/**
 * Connections to PostgreSQL that end when they are told to, whether PostgreSQL answers or not.
 *
 * @module
 */
import type { PgModule, PgPool, PgPoolClient, PgPoolConfig } from "bullmq";
import { SCHEMA } from "./schema.ts";

/** How long one try to connect may take, in ms. */
const CONNECT_MS = 1_500;

/** After how long without an answer a connection of a pool counts as lost, in ms. */
const QUERY_MS = 5_000;

/** What every connection is made with. */
export function settings(url: string): PgPoolConfig {
  return { connectionString: url, options: `-c search_path=${SCHEMA}`, connectionTimeoutMillis: CONNECT_MS };
}

/** Makes a pool, and the way to cut all its connections. */
export function makePool(pg: PgModule, url: string, max: number): { readonly pool: PgPool; readonly cut: () => void } {
  const pool = new pg.Pool({ ...settings(url), max, query_timeout: QUERY_MS });
  pool.on("error", () => {}); // Each call tells of its own failure.
  const clients = new Set<PgPoolClient>();
  pool.on("connect", (client) => {
    client.on("error", () => {}); // The pool listens only to those that are idle; unheard, an error ends the process.
    clients.add(client);
    client.on("end", () => clients.delete(client));
  });
  return { pool, cut: () => clients.forEach(cut) };
}

/** Closes a connection at once. To end it in peace is to wait for the answer of a server that may give none. */
export function cut({ connection }: Pick<PgPoolClient, "connection">): void {
  // It is a socket of Node.
  (connection?.stream as { destroy(): void } | undefined)?.destroy();
}
