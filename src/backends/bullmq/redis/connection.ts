/**
 * Connections to Redis that end when they are told to, whether Redis is there or not.
 *
 * @module
 */
import type { Redis } from "ioredis";

/**
 * Lets a connection be closed at any time. ioredis 6.0, between two tries to connect, takes the order to disconnect,
 * forgets the next try, and never says that it has ended; so it is told that it has not been connected yet. And a
 * connection that has ended takes the order again, with a timer that nobody stops.
 */
export function closable(connection: Redis): Redis {
  const disconnect = connection.disconnect.bind(connection);
  connection.disconnect = (reconnect) => {
    if (connection.status === "end") return;
    if (connection.status === "reconnecting" && !reconnect) connection.status = "wait";
    disconnect(reconnect);
  };
  return connection;
}

/** Whether a replica has refused to write: after a failover, a connection that was kept leads to the old master. */
export function isFromReplica(error: Error | undefined): boolean {
  return error?.message.includes("READONLY You can't write") ?? false;
}

/**
 * Closes a connection for good, and waits until it is closed. Without a refusal BullMQ opens it again, if it has just
 * found that Redis does not answer, and then waits for an answer on it.
 */
export async function end(connection: Redis): Promise<void> {
  connection.connect = () => Promise.reject(new Error("Connection is closed.")); // As ioredis says it, and BullMQ knows it.
  if (connection.status === "end") return;
  const ended = new Promise<void>((resolve) => connection.once("end", resolve));
  connection.disconnect();
  await ended;
}

/**
 * Makes something of BullMQ that copies a connection for itself, and gives the copy as well: BullMQ has no way to close
 * one that has never been connected.
 */
export function withCopy<T>(connection: Redis, make: () => T): readonly [made: T, copy: Redis] {
  const copies: Redis[] = [];
  const duplicate = connection.duplicate.bind(connection);
  connection.duplicate = (options) => {
    const copy = closable(duplicate(options));
    copies.push(copy);
    return copy;
  };
  const made = make();
  connection.duplicate = duplicate;
  const [copy] = copies;
  if (copy === undefined) throw new Error("BullMQ has not copied its connection, as its version 6.7 does.");
  return [made, copy];
}
