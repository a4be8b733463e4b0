/**
 * How many sessions there may be at once, and who makes room for a new one.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { LimitExceeded } from "../../../errors.ts";
import type { Peer } from "../../peer.ts";
import { limitResponse } from "../../errors.ts";

/** When to try again, in ms: by then sessions may have ended. */
const RETRY_MS = 60_000;

/** The most sessions. */
export interface SessionLimits {
  /** In this process. */
  readonly inProcess: number;
  /** Of one principal, where it is known. */
  readonly ofOne: number;
}

const LIMITS: SessionLimits = { inProcess: 10_000, ofOne: Infinity };

/** A session, as far as it takes a place. */
interface Placed {
  readonly owner: string;
  /** Whether its client has a stream open, so that it cannot make room. */
  readonly isBusy: boolean;
}

/** There is no room for one more session. */
export class NoRoom extends LimitExceeded {
  /** Says whose sessions are too many; `status` is that of HTTP. */
  constructor(whose: string, readonly status: 429 | 503) {
    super("sessions", `Cannot begin a session: ${whose}. End one, or try again in ${RETRY_MS / 1_000} s.`, RETRY_MS);
  }

  /** The answer to who wanted to begin one. */
  answer(message: JSONRPCMessage | undefined): Response {
    return limitResponse(this, this.status, message && "method" in message && "id" in message ? message.id : null);
  }
}

/** The places of the sessions of one endpoint. */
export class Places {
  readonly #limits: SessionLimits;
  readonly #sessions: ReadonlyMap<string, Placed>;
  /** The owners of the sessions that are about to begin, by their ids. */
  readonly #reserved = new Map<string, string>();

  /** `sessions` are those that have begun, the least used first. */
  constructor(sessions: ReadonlyMap<string, Placed>, limits: Partial<SessionLimits>) {
    this.#sessions = sessions;
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Keeps a place for a session until `release`. Where one more would be too many, `close` is called for the least used
   * one that is idle; it has to leave the map at once. Throws `NoRoom` if none is.
   */
  reserve(id: string, { owner, known }: Peer, close: (id: string) => void): void {
    const { inProcess, ofOne } = this.#limits;
    if (known && !this.#makeRoom(ofOne, (other) => other === owner, close)) {
      throw new NoRoom(`${ofOne} of yours are in use, and that is the most`, 429);
    }
    if (!this.#makeRoom(inProcess, () => true, close)) throw new NoRoom("all of this server are in use", 503);
    this.#reserved.set(id, owner);
  }

  /** Lets a reserved place go: the session has begun, or it will not. */
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
