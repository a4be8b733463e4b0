/**
 * How much memory the messages take that a server works on. Each is held until its request is answered, and a call may wait
 * for hours.
 *
 * @module
 */
import { LimitExceeded } from "../../errors.ts";
import { Budget } from "./budget.ts";

/** The most that the messages of all senders may take together, in bytes; and so much again for small ones. */
const MAX_HELD_BYTES = 256 * 1024 * 1024;

/** The most that a small message takes, in bytes: a poll, a cancellation, or an answer of up to 4,000 characters. */
const MAX_SMALL_BYTES = 16_384;

/** The least that a message is to be counted as, in bytes: a call that waits takes more than that besides its message. */
export const LEAST_HELD_BYTES = 8_192;

/** When to try again, in ms: until then requests may be answered. */
const RETRY_MS = 5_000;

const ofRequests = new WeakMap<Request, HeldMessage>();

/**
 * The messages of one server. Small ones have a budget of their own: a sender without room for more calls can still poll,
 * cancel and answer.
 */
export class HeldMessages {
  readonly #small: Budget;
  readonly #large: Budget;

  /** `most` is how many bytes each budget has. */
  constructor(most: number = MAX_HELD_BYTES) {
    this.#small = new Budget(most);
    this.#large = new Budget(most);
  }

  /** A message begins to arrive. It is held until `release`, and while `whileHeld` works on its request. */
  begin(sender: string, request: Request): HeldMessage {
    const message = new HeldMessage(this, sender);
    ofRequests.set(request, message);
    return message;
  }

  /** The budget of a message that takes so many bytes. */
  budgetOf(bytes: number): Budget {
    return bytes <= MAX_SMALL_BYTES ? this.#small : this.#large;
  }
}

export class HeldMessage {
  readonly #held: HeldMessages;
  readonly #sender: string;
  #bytes = 0;
  #uses = 1;

  constructor(held: HeldMessages, sender: string) {
    this.#held = held;
    this.#sender = sender;
  }

  /** More of it has arrived: it takes so many bytes now. Returns the error if there is no room for them. */
  grow(bytes: number): LimitExceeded | undefined {
    const budget = this.#held.budgetOf(bytes);
    const counted = budget === this.#budget ? this.#bytes : 0;
    if (!budget.fits(this.#sender, bytes - counted)) return noRoom();
    this.#count(-this.#bytes);
    this.#bytes = bytes;
    this.#count(bytes);
  }

  /** Its request begins to be worked on. */
  use(): void {
    if (this.#uses++ === 0) this.#count(this.#bytes);
  }

  /** One of those that use it is done with it. */
  release(): void {
    if (--this.#uses === 0) this.#count(-this.#bytes);
  }

  get #budget(): Budget {
    return this.#held.budgetOf(this.#bytes);
  }

  #count(bytes: number): void {
    this.#budget.add(this.#sender, bytes);
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
