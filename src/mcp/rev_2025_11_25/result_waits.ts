/**
 * The requests of one connection that wait for the results of tasks.
 *
 * @module
 */
import { Unavailable } from "../../errors.ts";

type RequestId = string | number;

/** Who asks anew, and does not resume its broken stream, would else leave a wait behind each time, and in the end a result. */
export class ResultWaits {
  readonly #isHeard: (requestId: RequestId) => boolean;
  /** By the ids of tasks, and of requests. */
  readonly #waits = new Map<string, Map<RequestId, AbortController>>();

  /** `isHeard` says whether the client reads the stream of a request now. */
  constructor(isHeard: (requestId: RequestId) => boolean) {
    this.#isHeard = isHeard;
  }

  /** Waits with a signal, and ends the earlier waits for the same task whose streams are broken. */
  async wait<T>(taskId: string, requestId: RequestId, wait: (given: AbortSignal) => Promise<T>): Promise<T> {
    const waits = this.#waits.get(taskId) ?? new Map<RequestId, AbortController>();
    for (const [earlier, given] of waits) if (!this.#isHeard(earlier)) given.abort(askedAgain());
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

function askedAgain(): Unavailable {
  return new Unavailable(
    "The result of this task was asked for again: it comes on the stream of the later request.",
  );
}
