/**
 * How many sessions there may be at once, and which one makes room for a new one.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { LimitExceeded } from "../../../errors.ts";
import type { Peer } from "../../peer.ts";
import { limitResponse } from "../refusals.ts";

/** When to try again, in ms: until then sessions may end. */
const RETRY_MS = 60_000;

export interface SessionLimits {
  /** In this process. */
  readonly inProcess: number;
  /** Of one known principal. */
  readonly ofOne: number;
}

const LIMITS: SessionLimits = { inProcess: 10_000, ofOne: Infinity };

/** A session that takes a slot. */
interface Slot {
  readonly owner: string;
  /** Whether its client has a stream open, so that the session cannot make room. */
  readonly isBusy: boolean;
}

/** There are too many sessions for one more. */
export class SessionLimitReached extends LimitExceeded {
  /** `why` says which limit is reached; `status` is that of the HTTP response. */
  constructor(why: string, readonly status: 429 | 503) {
    super("sessions", `Cannot begin a session: ${why}. End one, or try again in ${RETRY_MS / 1_000} s.`, RETRY_MS);
  }

  /** The response to the message that would have begun a session. */
  response(message: JSONRPCMessage | undefined): Response {
    return limitResponse(this, this.status, message);
  }
}

export class SessionSlots {
  readonly #limits: SessionLimits;
  readonly #sessions: ReadonlyMap<string, Slot>;
  /** The owners of the sessions that are beginning, by their ids. */
  readonly #reserved = new Map<string, string>();

  /** `sessions` are those that have begun, the least recently used first. */
  constructor(sessions: ReadonlyMap<string, Slot>, limits: Partial<SessionLimits>) {
    this.#sessions = sessions;
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Reserves a slot for a session until `release`. If there are too many sessions, `close` is called for the least recently
   * used idle one, which has to leave the map at once. Throws `SessionLimitReached` if none is idle.
   */
  reserve(id: string, { owner, known }: Peer, close: (id: string) => void): void {
    const { inProcess, ofOne } = this.#limits;
    if (known && !this.#makeRoom(ofOne, (other) => other === owner, close)) {
      throw new SessionLimitReached(`your limit of ${ofOne} sessions is reached`, 429);
    }
    if (!this.#makeRoom(inProcess, () => true, close)) {
      throw new SessionLimitReached("all sessions of this server are in use", 503);
    }
    this.#reserved.set(id, owner);
  }

  /** Releases a reserved slot: the session has begun, or will not. */
  release(id: string): void {
    this.#reserved.delete(id);
  }

  #makeRoom(most: number, isOne: (owner: string) => boolean, close: (id: string) => void): boolean {
    if (this.#sessions.size + this.#reserved.size < most) return true;
    const sessions = [...this.#sessions].filter(([, { owner }]) => isOne(owner));
    const reserved = [...this.#reserved.values()].filter(isOne);
    if (sessions.length + reserved.length < most) return true;
    const [idle] = sessions.find(([, { isBusy }]) => !isBusy) ?? [];
    if (idle === undefined) return false;
    close(idle);
    return true;
  }
}
