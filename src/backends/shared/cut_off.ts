/**
 * Ends a connection of which no answer is expected any more.
 *
 * @module
 */

/** What is used of a socket of `node:net` or `node:tls`. */
export interface Socket {
  readonly remoteAddress?: string;
  /** Only one with TLS has it. */
  readonly encrypted?: boolean;
  resetAndDestroy(): unknown;
  destroy(): unknown;
}

/**
 * Closes a socket at once, and lets the system forget what it has not delivered. It would go on trying for minutes: once the
 * network is back, the database would do what this process has given up.
 */
export function cutOff(socket: Socket): void {
  // Only TCP can be reset, in Deno 2.9 not below TLS. A socket that is not connected has sent nothing.
  if (socket.remoteAddress !== undefined && !socket.encrypted) socket.resetAndDestroy();
  socket.destroy(); // A reset alone would wait until all is written.
}
