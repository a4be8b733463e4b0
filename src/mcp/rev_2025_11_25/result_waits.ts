/**
 * The `tasks/result` requests of one connection that wait for their task to finish.
 *
 * @module
 */
import { Unavailable } from "../../errors.ts";

type RequestId = string | number;

/**
 * Ends the waits of requests that a client has replaced. A client that sends `tasks/result` again, instead of resuming its
 * broken stream, would otherwise leave a wait behind each time, and in the end one result for each.
 */
export class ResultWaits {
  readonly #isOpen: (requestId: RequestId) => boolean;
  /** By the ids of tasks, and of requests. */
  readonly #waits = new Map<string, Map<RequestId, AbortController>>();

  /** `isOpen` tells whether the client reads the stream of a request now. */
  constructor(isOpen: (requestId: RequestId) => boolean) {
    this.#isOpen = isOpen;
  }

  /** Runs a wait with a signal, and ends the earlier waits for the same task whose streams are broken. */
  async wait<T>(taskId: string, requestId: RequestId, wait: (given: AbortSignal) => Promise<T>): Promise<T> {
    const waits = this.#waits.get(taskId) ?? new Map<RequestId, AbortController>();
    for (const [earlier, given] of waits) if (!this.#isOpen(earlier)) given.abort(replaced());
    const given = new AbortController();
    this.#waits.set(taskId, waits.set(requestId, given));
    try {
      return await wait(given.signal);
    } finally {
      if (waits.get(requestId) === given) waits.delete(requestId);
      if (waits.size === 0 && this.#waits.get(taskId) === waits) this.#waits.delete(taskId);
    }
  }
}

function replaced(): Unavailable {
  return new Unavailable(
    "The result of this task was requested again: it comes on the stream of the later request.",
  );
}
