/**
 * What the four clients have in common.
 *
 * @module
 */
import type { Update } from "../../shared/update.ts";

/** How the clients introduce themselves. */
export const INFO = { name: "adaptive-client", version: "1.0.0" };

/** Arguments of a tool. */
export type Arguments = { readonly [name: string]: string | number };

/** A connected client. */
export interface Caller extends AsyncDisposable {
  /** Calls the tool of a job, and does what its kind of client does until it has the result. Yields all that it gets. */
  run(tool: string, args: Arguments, onProgress: (update: Update) => void): AsyncIterable<Update>;
}
