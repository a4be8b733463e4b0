/**
 * The pages that a job has asked a person to open, until the client learns that it is done with them (2025-11-25,
 * "Completion Notifications for URL Mode Elicitation").
 *
 * @module
 */
import { type Answer, isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { remember } from "../../recent.ts";
import type { TaskServer } from "../host.ts";

/** How many pages of a connection are remembered. Clients need no notification: they offer a way to go on without it. */
const REMEMBERED = 1_000;

/** The pages of one connection. Only the client that was asked to open a page is notified of its completion. */
export class OpenPages {
  readonly #server: TaskServer;
  readonly #tasks: Tasks;
  /** The requests on whose streams the client was asked, by the ids of the elicitations. */
  readonly #asked = new Map<string, string | number>();
  /** How to stop following the task of each page that the person has agreed to open. */
  readonly #opened = new Map<string, () => void>();

  constructor(server: TaskServer, tasks: Tasks) {
    this.#server = server;
    this.#tasks = tasks;
  }

  /** The client was asked to have a page opened. */
  ask(id: string, requestId: string | number): void {
    remember(this.#asked, id, requestId, REMEMBERED);
  }

  /**
   * The person has answered. Agreeing to open the page does not mean that they are done there. Only the job knows when it has
   * what it needs, at the latest when it has ended with a result.
   */
  answered(id: string, task: TaskInfo, { action }: Answer): void {
    const requestId = this.#asked.get(id);
    this.#asked.delete(id);
    if (requestId === undefined || action !== "accept" || this.#opened.has(id)) return;
    const stop = this.#tasks.follow(task, (now) => {
      if (!isFinished(now)) return;
      // The task as given may have ended already: then this is called before `follow` returns.
      queueMicrotask(() => this.#forget(id));
      if (now.status === "COMPLETED") this.#complete(id, requestId);
    });
    this.#opened.set(id, stop);
  }

  close(): void {
    for (const id of [...this.#opened.keys()]) this.#forget(id);
    this.#asked.clear();
  }

  #forget(id: string): void {
    this.#opened.get(id)?.();
    this.#opened.delete(id);
  }

  #complete(elicitationId: string, requestId: string | number): void {
    // A client that is gone shows the page no longer.
    this.#server.notifyAsked("notifications/elicitation/complete", { elicitationId }, requestId).catch(() => {});
  }
}
