/**
 * How much memory the messages take that a server works on. Each is held until its request is answered, and a call may wait
 * for hours.
 *
 * @module
 */
import { LimitExceeded } from "../../errors.ts";

/** The most that the messages of all callers may take together, in bytes. */
const MAX_HELD_BYTES = 256 * 1024 * 1024;

/** When to try again, in ms: until then requests may be answered. */
const RETRY_MS = 5_000;

/** The messages of HTTP requests. */
const ofRequests = new WeakMap<Request, HeldMessage>();

/** The messages of one server. */
export class HeldMessages {
  readonly #most: number;
  /** How much those of each caller take, in bytes. */
  readonly #ofCallers = new Map<string, number>();
  #all = 0;

  /** `most` is how many bytes they may take. */
  constructor(most: number = MAX_HELD_BYTES) {
    this.#most = most;
  }

  /** A message begins to arrive. It is held until `release`, and while `whileHeld` works on its request. */
  begin(caller: string, request: Request): HeldMessage {
    const message = new HeldMessage(this, caller);
    ofRequests.set(request, message);
    return message;
  }

  /** Whether there is room for more from a caller, who may hold as much as is left for all others. */
  fits(caller: string, bytes: number): boolean {
    return this.#of(caller) + bytes <= this.#most - this.#all - bytes;
  }

  /** Counts what a caller holds in addition, or no longer if it is negative. */
  add(caller: string, bytes: number): void {
    const own = this.#of(caller) + bytes;
    this.#all += bytes;
    if (own > 0) this.#ofCallers.set(caller, own);
    else this.#ofCallers.delete(caller);
  }

  #of(caller: string): number {
    return this.#ofCallers.get(caller) ?? 0;
  }
}

/** One message. */
export class HeldMessage {
  readonly #held: HeldMessages;
  readonly #caller: string;
  #bytes = 0;
  #uses = 1;

  constructor(held: HeldMessages, caller: string) {
    this.#held = held;
    this.#caller = caller;
  }

  /** More of it has arrived: it takes so many bytes now. Returns the error if there is no room for them. */
  grow(bytes: number): LimitExceeded | undefined {
    const more = bytes - this.#bytes;
    if (!this.#held.fits(this.#caller, more)) return noRoom();
    this.#held.add(this.#caller, more);
    this.#bytes = bytes;
  }

  /** Its request begins to be worked on. */
  use(): void {
    if (this.#uses++ === 0) this.#held.add(this.#caller, this.#bytes);
  }

  /** It is not needed any more, except by those that still use it. */
  release(): void {
    if (--this.#uses === 0) this.#held.add(this.#caller, -this.#bytes);
  }
}

/** Works on a request, whose message is held meanwhile: a session goes on with a request whose client is gone. */
export function whileHeld<T>(request: Request | undefined, work: () => Promise<T>): Promise<T> {
  const working = work();
  const message = request && ofRequests.get(request);
  if (message === undefined) return working;
  message.use();
  // Thousands of calls wait here, and an async function would take half a KB more.
  const end = () => message.release();
  working.then(end, end);
  return working;
}

function noRoom(): LimitExceeded {
  const why = "the requests that are not answered yet take too much memory";
  return new LimitExceeded(
    "heldBytes",
    `Cannot accept the request: ${why}. Send a smaller one, or try again in ${RETRY_MS / 1_000} s.`,
    RETRY_MS,
  );
}
