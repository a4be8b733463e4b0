/**
 * Names in Redis that are ours. They stand below BullMQ's prefix; docs/bullmq.md lists all keys.
 *
 * @module
 */

/** The number of what our keys hold. It changes with what another version of this code would misread. */
export const FORMAT = 1;

/** What all our keys begin with. */
export function ownPrefix(prefix: string): string {
  return `${prefix}:mcp-jobs:`;
}

/** The channel of the signals between processes. */
export function signalChannel(prefix: string): string {
  return `${ownPrefix(prefix)}signals`;
}
