/**
 * Messages of sessions that another process can use. A client's message may reach any process, but the call that it cancels,
 * or the question that it answers, waits in one. Such a message becomes a document for a moment: every process learns of it,
 * and the one that can use the message takes it.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { DocumentStore } from "../../../backend.ts";
import { LimitExceeded } from "../../../errors.ts";
import { firstIdOf, newTaskId } from "../../../ids.ts";
import type { OnError } from "../../../log/on_error.ts";

/** How the name of such a document begins; the id of its session follows, that of the process, and an id of its own. */
const FORWARDED = "forwarded:";
const SEPARATOR = ":";

/** How long a message is kept that no process takes, in ms. */
const KEPT_MS = 10_000;

/** How much text one session, and all sessions of a process, may forward within that time, in UTF-16 units. */
const MAX_TEXT = 16_384;
const MAX_TEXT_OF_ALL = 4 * 1024 * 1024;

/** A session of this process, which receives what other processes forward. */
export interface Recipient {
  /** Whether a message is about a request of this process. */
  isFor(message: JSONRPCMessage): boolean;
  /** Receives a message. */
  receive(message: JSONRPCMessage): void;
}

/** The messages between the processes of one store. */
export class Forwarding implements Disposable {
  readonly #documents: DocumentStore;
  readonly #recipient: (session: string) => Recipient | undefined;
  readonly #onError: OnError;
  readonly #unwatch: () => void;
  readonly #process = crypto.randomUUID();
  /** How much text each session has forwarded since unused messages were last deleted. */
  readonly #sent = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `recipient` finds a session of this process. */
  constructor(documents: DocumentStore, recipient: (session: string) => Recipient | undefined, onError: OnError) {
    this.#documents = documents;
    this.#recipient = recipient;
    this.#onError = onError;
    this.#unwatch = documents.watch((name) => {
      if (name === undefined) this.#run(this.#takeAll());
      else if (name.startsWith(FORWARDED) && recipient(sessionIn(name))) this.#run(this.#take(name));
    });
  }

  /**
   * Forwards a message to whichever other process can use it. Resolves once it is stored. Throws `LimitExceeded` if the
   * session, or this process, forwards too much.
   */
  async send(session: string, message: JSONRPCMessage): Promise<void> {
    const text = JSON.stringify(message);
    const ofSession = (this.#sent.get(session) ?? 0) + text.length;
    const ofAll = this.#sent.values().reduce((sum, length) => sum + length, text.length);
    if (ofSession > MAX_TEXT || ofAll > MAX_TEXT_OF_ALL) throw tooMuch();
    this.#sent.set(session, ofSession);
    this.#deleteLater();
    const name = [`${FORWARDED}${session}`, this.#process, newTaskId()].join(SEPARATOR);
    await this.#documents.write(name, undefined, text);
  }

  /** Takes no more messages. What it has forwarded and nobody takes, another process deletes. */
  [Symbol.dispose](): void {
    this.#unwatch();
    clearTimeout(this.#timer);
  }

  async #takeAll(): Promise<void> {
    for (const { name, text } of await this.#documents.list(FORWARDED)) await this.#use(name, text);
  }

  async #take(name: string): Promise<void> {
    const text = await this.#documents.read(name);
    if (text !== undefined) await this.#use(name, text);
  }

  async #use(name: string, text: string): Promise<void> {
    this.#deleteLater(); // The process that has forwarded it may be killed before it does so.
    const message: JSONRPCMessage = JSON.parse(text);
    const recipient = this.#recipient(sessionIn(name));
    if (isOf(name, this.#process) || !recipient?.isFor(message)) return;
    recipient.receive(message);
    await this.#documents.write(name, text, undefined);
  }

  #deleteLater(): void {
    this.#timer ??= setTimeout(() => this.#run(this.#deleteUnused()), KEPT_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Deletes the messages that no process has taken, whoever has forwarded them. */
  async #deleteUnused(): Promise<void> {
    this.#timer = undefined;
    this.#sent.clear();
    const oldest = firstIdOf(Date.now() - KEPT_MS);
    for (const { name, text } of await this.#documents.list(FORWARDED)) {
      if (idIn(name) < oldest) await this.#documents.write(name, text, undefined);
      else this.#deleteLater();
    }
  }

  #run(act: Promise<void>): void {
    act.catch((error) => this.#onError(error, { where: "forward a message of a session" }));
  }
}

function sessionIn(name: string): string {
  return name.slice(FORWARDED.length).split(SEPARATOR, 1)[0] ?? "";
}

function isOf(name: string, process: string): boolean {
  return name.split(SEPARATOR)[2] === process;
}

function idIn(name: string): string {
  return name.slice(name.lastIndexOf(SEPARATOR) + 1);
}

function tooMuch(): LimitExceeded {
  const why = "Cannot pass the message on to the process that can use it: it is too large, or there were too many. " +
    `Try again in ${KEPT_MS / 1_000} s.`;
  return new LimitExceeded("forwarded", why, KEPT_MS);
}
