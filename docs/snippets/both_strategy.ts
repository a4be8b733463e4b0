import { type ExposureStrategy, OperationResourceStrategy, PollingExposureStrategy } from "@mcp-jobs/mcp-jobs";
import type { RegisteredJob, Surface, Tasks } from "@mcp-jobs/mcp-jobs/strategy";

/** Offers a native task, and also polling tools for clients that know no tasks and cannot wait. */
export class BothStrategy implements ExposureStrategy {
  readonly #native = new OperationResourceStrategy({ notifications: true });
  readonly #polling = new PollingExposureStrategy();

  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const native = this.#native.expose(registered, tasks);
    const polling = this.#polling.expose(registered, tasks);
    return { ...native, tools: [...native.tools, ...polling.tools] };
  }
}
