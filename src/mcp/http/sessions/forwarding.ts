/**
 * Messages of sessions that another process can use. A client's message may reach any process, but the call that it cancels,
 * or the question that it answers, waits in one. Such a message becomes a document for a moment: every process learns of it,
 * and the one that can use the message takes it.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { DocumentStore, NamedDocument } from "../../../backend.ts";
import { LimitExceeded } from "../../../errors.ts";
import { firstIdOf, newTaskId } from "../../../ids.ts";
import type { OnError } from "../../../log/on_error.ts";
import { isWithin } from "../../../text.ts";
import { Budget } from "../../messages/budget.ts";
import { cancelledBy, RESUMED_ELSEWHERE, resumedElsewhere } from "../../messages/message.ts";

/** How the name of such a document begins; the id of its session follows, that of the process, and an id of its own. */
const FORWARDED = "forwarded:";
const SEPARATOR = ":";

/** How long a message is kept that no process takes, in ms. */
const KEPT_MS = 10_000;

/** The most bytes of a message: those of a document. */
const MAX_BYTES = 60_000;

/** How much text a process may forward within that time, in UTF-16 units. */
const MAX_TEXT = 4 * 1024 * 1024;

/** A session of this process, which receives what other processes forward. */
export interface Recipient {
  /** Whether a message is about a request of this process. */
  isFor(message: JSONRPCMessage): boolean;
  receive(message: JSONRPCMessage): void;
}

/** The messages between the processes of one store. */
export class Forwarding implements Disposable {
  readonly #documents: DocumentStore;
  readonly #recipient: (session: string) => Recipient | undefined;
  readonly #onError: OnError;
  readonly #unwatch: () => void;
  readonly #process = crypto.randomUUID();
  /** How much text each principal has forwarded since unused messages were last deleted. */
  #sent = new Budget(MAX_TEXT);
  /** Cancellations that are not for this process so far, by session and call: the call may still be on its way. */
  readonly #early = new Map<string, NamedDocument>();
  /** When this process began to go on with a call, as an id of that time, by session and call. */
  readonly #resumed = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  /** `recipient` finds a session of this process. */
  constructor(documents: DocumentStore, recipient: (session: string) => Recipient | undefined, onError: OnError) {
    this.#documents = documents;
    this.#recipient = recipient;
    this.#onError = onError;
    this.#unwatch = documents.watch((name) => {
      if (name === undefined) this.#run(this.#takeAll());
      else if (name.startsWith(FORWARDED) && !isOf(name, this.#process)) this.#run(this.#take(name));
    });
    this.#run(this.#takeAll()); // They may be about calls that come here.
    this.#deleteLater(); // A process that was killed may have left some.
  }

  /**
   * Forwards a message of an owner's session to whichever other process can use it. Resolves once it is stored. Throws
   * `LimitExceeded` if it is too large, or if the owner, or this process, forwards too much.
   */
  async send(owner: string, session: string, message: JSONRPCMessage): Promise<void> {
    const text = JSON.stringify(message);
    if (!isWithin(text, MAX_BYTES)) throw tooLarge();
    if (!this.#sent.fits(owner, text.length)) throw tooMuch();
    this.#sent.add(owner, text.length);
    this.#deleteLater();
    const name = [`${FORWARDED}${session}`, this.#process, newTaskId()].join(SEPARATOR);
    this.#keep({ name, text }, message);
    await this.#documents.write(name, undefined, text);
  }

  /** This process goes on with a call of an owner's session. Tells the process that had the call, where it is over now. */
  resumed(owner: string, session: string, requestId: string | number): void {
    this.#resumed.set(keyOf(session, requestId), newTaskId());
    this.#run(this.send(owner, session, resumedElsewhere(requestId)));
  }

  /** A call of a session has begun in this process: it is cancelled if its cancellation has come before it. */
  begun(session: string, requestId: string | number): void {
    const key = keyOf(session, requestId);
    const early = this.#early.get(key);
    this.#early.delete(key);
    if (early) this.#run(this.#use(early));
  }

  /** Takes no more messages. What it has forwarded and nobody takes, another process deletes, now or once one starts. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#unwatch();
    clearTimeout(this.#timer);
  }

  async #takeAll(): Promise<void> {
    const oldest = oldestKept();
    for (const document of await this.#documents.list(FORWARDED)) {
      const { name } = document;
      if (!isOf(name, this.#process) && idIn(name) >= oldest) await this.#use(document);
    }
  }

  async #take(name: string): Promise<void> {
    const text = await this.#documents.read(name);
    if (text !== undefined) await this.#use({ name, text });
  }

  async #use(document: NamedDocument): Promise<void> {
    this.#deleteLater(); // The process that has forwarded it may be killed before it does so.
    const { name, text } = document;
    const message: JSONRPCMessage = JSON.parse(text);
    const recipient = this.#recipient(sessionIn(name));
    const isOver = this.#isOver(document, message);
    if (!isOver && !recipient?.isFor(message)) return this.#keep(document, message);
    if (!isOver) recipient?.receive(message);
    await this.#documents.write(name, text, undefined);
  }

  /** Whether another process says that it goes on with a call, with which this one has gone on since. */
  #isOver({ name }: NamedDocument, message: JSONRPCMessage): boolean {
    const cancelled = cancelledBy(message);
    if (cancelled?.reason !== RESUMED_ELSEWHERE) return false;
    return idIn(name) < (this.#resumed.get(keyOf(sessionIn(name), cancelled.id)) ?? "");
  }

  /** Keeps a cancellation for its call. */
  #keep(document: NamedDocument, message: JSONRPCMessage): void {
    const cancelled = cancelledBy(message);
    if (cancelled) this.#early.set(keyOf(sessionIn(document.name), cancelled.id), document);
  }

  #deleteLater(): void {
    if (this.#ended) return;
    this.#timer ??= setTimeout(() => this.#run(this.#deleteUnused()), KEPT_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Deletes the messages that no process has taken, whoever has forwarded them. */
  async #deleteUnused(): Promise<void> {
    this.#timer = undefined;
    this.#sent = new Budget(MAX_TEXT);
    const oldest = oldestKept();
    for (const [key, { name }] of this.#early) if (idIn(name) < oldest) this.#early.delete(key);
    for (const [key, id] of this.#resumed) if (id < oldest) this.#resumed.delete(key);
    if (this.#early.size > 0) this.#deleteLater();
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

/** The least id of a message that is kept now. */
function oldestKept(): string {
  return firstIdOf(Date.now() - KEPT_MS);
}

function keyOf(session: string, requestId: string | number): string {
  return `${session} ${JSON.stringify(requestId)}`;
}

const CANNOT_PASS_ON = "Cannot pass the message on to the process that can use it:";

function tooLarge(): LimitExceeded {
  return new LimitExceeded("forwarded", `${CANNOT_PASS_ON} it has more than ${MAX_BYTES} bytes. Send a smaller one.`);
}

function tooMuch(): LimitExceeded {
  const why = `${CANNOT_PASS_ON} there were too many. Try again in ${KEPT_MS / 1_000} s.`;
  return new LimitExceeded("forwarded", why, KEPT_MS);
}
