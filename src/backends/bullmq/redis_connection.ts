/**
 * Connections to Redis that end when they are told to, whether Redis is there or not.
 *
 * Between two tries to connect, ioredis takes the order to disconnect, forgets the next try, and never says that it has
 * ended. So nobody is to give it then: it waits here for the next try to begin.
 *
 * @module
 */

/** What is needed of a connection to end it: of ioredis itself, or as BullMQ wraps it. */
export interface Connection {
  readonly status: string;
  disconnect(): void;
  once(event: "connecting" | "end", listener: () => void): unknown;
}

/** Resolves at once, or when the next try to connect begins. Then the connection may be closed. */
export async function betweenNoTries(connection: Connection): Promise<void> {
  if (connection.status !== "reconnecting") return;
  await new Promise<void>((resolve) => connection.once("connecting", resolve));
}

/** Closes a connection, and waits until it is closed. */
export async function end(connection: Connection): Promise<void> {
  await betweenNoTries(connection);
  if (connection.status === "end" || connection.status === "wait") return;
  const ended = new Promise<void>((resolve) => connection.once("end", resolve));
  connection.disconnect();
  await ended;
}
