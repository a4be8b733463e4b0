/**
 * The backend in memory, for tests and for single-process use. Nothing outlives the process.
 *
 * @module
 */
import type { BackendOptions } from "../../backend.ts";
import { StoreBackend } from "../shared/store/backend.ts";
import { Hub } from "../shared/store/hub.ts";
import { MemoryStore } from "./store.ts";

/**
 * Queues and stores tasks in memory.
 *
 * @example
 * ```ts
 * import { MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * ```
 */
export class MemoryBackend extends StoreBackend {
  /** Its tasks end with this process. */
  readonly volatile: boolean = true;

  /** Opens a backend of its own. Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options?: BackendOptions) {
    const hub = new Hub();
    super(new MemoryStore(hub), hub, new AsyncDisposableStack(), options);
  }
}
