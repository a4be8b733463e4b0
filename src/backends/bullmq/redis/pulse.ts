/**
 * Connections to Redis that are replaced once nothing comes back on them, or they lead to a replica: where a network
 * drops all it is to carry, neither side is told, and TCP itself gives up only after minutes; and after a failover the
 * old master may keep its connections, while new ones lead to the new one.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { inTime } from "../deadline.ts";

/** How often a connection is asked whether it is there, and how long its answer may take, both in ms. */
export interface Pulse {
  readonly every: number;
  readonly within: number;
}

/** The longest that a command may block a connection with a pulse, in ms: what is asked meanwhile is answered after it. */
export const LONGEST_BLOCK_MS = 2_000;

const PULSE: Pulse = { every: 5_000, within: 2 * LONGEST_BLOCK_MS };

/**
 * Has a connection replaced once it does not answer, or answers from a replica; what was sent on it is sent again. ioredis has `socketTimeout` for
 * this, but takes a process that was busy for as long for a silent Redis, and never asks where nobody else does.
 */
export function withPulse(connection: Redis, { every, within }: Pulse = PULSE): Redis {
  const timer = setInterval(async () => {
    const { status, stream } = connection;
    if (status !== "ready" && status !== "connect") return; // ioredis itself ends a try to connect that takes too long.
    try {
      await inTime(sign(connection), "nothing comes back", within);
    } catch {
      stream.destroy(); // This one: there may be another by now.
    }
  }, every);
  connection.once("end", () => clearInterval(timer));
  return connection;
}

/** Resolves once Redis has said something, or the connection is known to be closed. Rejects if it leads to a replica. */
async function sign(connection: Redis): Promise<void> {
  if (connection.status !== "ready") {
    await new Promise((resolve) => connection.once("ready", resolve).once("close", resolve));
    return;
  }
  // A refusal is a sign, too. Who only subscribes can ping, but with an old Redis cannot ask for more.
  const ping = connection.ping().catch(() => {});
  const [role] = await connection.role().catch(() => []);
  await ping;
  if (role === "slave") throw new Error("it leads to a replica");
}
