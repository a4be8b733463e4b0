/**
 * What every connection of a server shares.
 *
 * @module
 */
import type { Surface } from "../exposure/surface.ts";
import type { Tasks } from "../tasks/tasks.ts";
import type { McpHost } from "./host.ts";

/** A server, as each of its connections sees it. */
export interface Served {
  readonly name: string;
  readonly version: string;
  readonly title?: string;
  readonly instructions?: string;
  readonly surface: Surface;
  readonly tasks: Tasks;
  /** The longest message that is accepted, in bytes. */
  readonly maxMessageBytes: number;
  /** What the user registers through the SDK's API on each connection, synchronously. */
  readonly extensions: readonly ((mcp: McpHost) => void)[];
}
