/**
 * The sessions on the backend, which outlive their process: the owner of each, and its first message.
 *
 * @module
 */
import { INVALID_REQUEST, type JSONRPCMessage } from "@modelcontextprotocol/server";
import type { StreamStore } from "../../../backend.ts";
import { doneWithin } from "../../../waiting.ts";
import { BackendError } from "../../../errors.ts";
import { newTaskId } from "../../../ids.ts";
import { hasMoreParts } from "../../../json.ts";
import type { OnError } from "../../../log/on_error.ts";
import { refuse } from "../../messages/message.ts";

/** What a session can be restored from. */
export interface StoredSession {
  readonly owner: string;
  readonly initialize: JSONRPCMessage;
}

/** How long a client waits for its session to be stored, in ms. */
const MAX_WAIT_MS = 1_000;

/** The most UTF-16 units of JSON, and the most fields and items, of a first message: its session holds it all the time. */
const MAX_TEXT = 65_536;
const MAX_PARTS = 1_000;

/** Refuses a first message that is too large; returns `undefined` for any other. */
export function refuseLarge(message: JSONRPCMessage | undefined): Response | undefined {
  if (message === undefined) return undefined;
  if (JSON.stringify(message).length <= MAX_TEXT && !hasMoreParts(message, MAX_PARTS)) return undefined;
  const why =
    `Invalid request: initialize has more than ${MAX_TEXT} characters, or more than ${MAX_PARTS} fields and items.`;
  return Response.json(refuse(INVALID_REQUEST, why, "id" in message ? message.id : null), { status: 400 });
}

export class SessionStore {
  readonly #streams: StreamStore;
  readonly #onError: OnError;

  constructor(streams: StreamStore, onError: OnError) {
    this.#onError = onError;
    this.#streams = streams;
  }

  /** Stores a session for `ttl` ms. A session that cannot be stored, or not soon, works all the same. */
  async save(id: string, session: StoredSession, ttl: number): Promise<void> {
    const event = { id: newTaskId(), text: JSON.stringify(session) };
    const saving = this.#streams.append(keyOf(id), event, ttl).catch((error) =>
      this.#onError(error, { where: "store a session" })
    );
    await doneWithin(saving, MAX_WAIT_MS);
  }

  /** The stored session, if there is one. Rejects with `BackendError`. */
  async find(id: string): Promise<StoredSession | undefined> {
    const last = (await this.#streams.readAfter(keyOf(id), "").catch(failed)).at(-1);
    return last && JSON.parse(last.text);
  }

  /** Deletes a session. Rejects with `BackendError`. */
  async delete(id: string): Promise<void> {
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
