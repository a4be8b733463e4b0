/**
 * Signals as they are sent: `stop <id>`, `answer <id>`, `queue <since> <name>`. The scripts and functions of the
 * databases send them.
 *
 * @module
 */
import type { Signal } from "./database.ts";

/** Reads a message; `undefined` for what says nothing to us. */
export function readSignal(message: string): Signal | undefined {
  const [kind, id = "", ...queue] = message.split(" ");
  if (kind === "stop" || kind === "answer") return { kind, id };
  if (kind === "queue") return { kind, since: Number(id), queue: queue.join(" ") };
}
