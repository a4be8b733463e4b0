/**
 * The most that the time in a task's id is ahead of its creation. The server's clock makes the id, and the database's clock
 * says when the task was created.
 *
 * @module
 */
import { aheadOf } from "../../../ids.ts";
import { changeDocument } from "../../../operator/documents.ts";
import type { TaskInfo } from "../../../task.ts";
import type { Store } from "../../shared/store/store.ts";

/** The document that keeps it, in ms. */
const AHEAD = "ahead";

/** Keeps this maximum in a document. */
export class Ahead {
  readonly #documents: Store["documents"];
  /** A lower bound of what the document has. */
  #known = 0;

  constructor(documents: Store["documents"]) {
    this.#documents = documents;
  }

  /** Reads the maximum, in ms. */
  async read(): Promise<number> {
    this.#known = Number(await this.#documents.read(AHEAD) ?? 0);
    return this.#known;
  }

  /** Called before a task is stored. It rarely writes: few ids are further ahead than all before. */
  async note(task: TaskInfo): Promise<void> {
    const ahead = aheadOf(task);
    if (ahead <= this.#known) return;
    await changeDocument(this.#documents, AHEAD, (text) => String(Math.max(ahead, Number(text ?? 0))));
    this.#known = Math.max(ahead, this.#known);
  }
}
