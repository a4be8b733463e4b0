/**
 * Connections to Redis that are replaced once they no longer answer, or lead to a replica. When a network silently
 * drops everything, TCP gives up only after minutes; and after a failover the former master may keep its connections
 * open.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { cutOff } from "../../shared/cut_off.ts";
import { inTime } from "../../shared/deadline.ts";
import { socketOf } from "../internals.ts";

/** How often a connection is checked, and how long its answer may take, both in ms. */
export interface Heartbeat {
  readonly every: number;
  readonly within: number;
}

/** The longest that a command may block a connection with a heartbeat, in ms: the check is answered only after it. */
export const LONGEST_BLOCK_MS = 2_000;

const HEARTBEAT: Heartbeat = { every: 5_000, within: 2 * LONGEST_BLOCK_MS };

/**
 * Replaces a connection once it does not answer, or answers from a replica; what was sent on it is sent again. ioredis
 * has `socketTimeout` for this, but it mistakes a busy process for a silent Redis, and does nothing on idle connections.
 */
export function withHeartbeat(connection: Redis, { every, within }: Heartbeat = HEARTBEAT): Redis {
  let timer: ReturnType<typeof setInterval> | undefined;
  const start = () => timer ??= setInterval(() => void beat(connection, within), every);
  start();
  connection.on("connecting", start); // BullMQ opens again what it has closed.
  connection.on("end", () => {
    clearInterval(timer);
    timer = undefined;
  });
  return connection;
}

async function beat(connection: Redis, within: number): Promise<void> {
  const { status } = connection;
  if (status !== "ready" && status !== "connect") return; // ioredis itself ends slow attempts to connect.
  const socket = socketOf(connection);
  try {
    await inTime(check(connection), "Redis does not answer", within);
  } catch {
    cutOff(socket); // This one: there may be another by now.
  }
}

/** Resolves once Redis has answered, or the connection is known to be closed. Rejects if it leads to a replica. */
async function check(connection: Redis): Promise<void> {
  if (connection.status !== "ready") {
    const { promise, resolve } = Promise.withResolvers<void>();
    connection.once("ready", resolve).once("close", resolve);
    await promise;
    connection.off("ready", resolve).off("close", resolve);
    return;
  }
  // A refusal is an answer, too. With an old Redis, a connection that subscribes may send PING but not ROLE.
  const ping = connection.ping().catch(() => {});
  const [role] = await connection.role().catch(() => []); // Likewise.
  await ping;
  if (role === "slave") throw new Error("The connection leads to a replica.");
}
