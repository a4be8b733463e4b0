/**
 * What is kept of sessions on the backend, so that they outlive their process: whose each is, and its first message.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { StreamStore } from "../../../backend.ts";
import { doneWithin } from "../../../waiting.ts";
import { BackendError } from "../../../errors.ts";
import { newTaskId } from "../../../ids.ts";
import { unheard } from "../../../log/log_error.ts";

/** What is kept of a session. */
export interface Kept {
  readonly owner: string;
  readonly initialize: JSONRPCMessage;
}

/** How long a client waits for its session to be kept, in ms. */
const PATIENCE_MS = 1_000;

/** A first message that is longer, in UTF-16 units of JSON, is not kept. */
const MAX_TEXT = 16_384;

/** The sessions on one backend. */
export class KeptSessions {
  readonly #streams: StreamStore;

  constructor(streams: StreamStore) {
    this.#streams = streams;
  }

  /** Keeps a session for `ttl` ms. One that cannot be kept, or not soon, serves all the same. */
  async keep(id: string, session: Kept, ttl: number): Promise<void> {
    const text = JSON.stringify(session);
    if (text.length > MAX_TEXT) return;
    const keeping = this.#streams.append(keyOf(id), { id: newTaskId(), text }, ttl).catch(unheard("keep a session"));
    await doneWithin(keeping, PATIENCE_MS);
  }

  /** What is kept of a session, if anything is. Rejects with `BackendError`. */
  async find(id: string): Promise<Kept | undefined> {
    const last = (await this.#streams.readAfter(keyOf(id), "").catch(failed)).at(-1);
    return last && JSON.parse(last.text);
  }

  /** Keeps nothing of a session any more. Rejects with `BackendError`. */
  async forget(id: string): Promise<void> {
    await this.#streams.clear(keyOf(id)).catch(failed);
  }
}

function failed(cause: unknown): never {
  throw new BackendError("Cannot reach the store of sessions. Try again.", { cause });
}

/** Where the store keeps a session. */
function keyOf(id: string): string {
  return `session ${id}`;
}
