/**
 * By how much the ids of tasks are ahead of their creation at most. The clock of a server makes an id, and that of the
 * database says when its task was created.
 *
 * @module
 */
import { aheadOf } from "../../../ids.ts";
import { changeDocument } from "../../../operator/documents.ts";
import type { TaskInfo } from "../../../task.ts";
import type { PgDocuments } from "../tables/documents.ts";

/** The document that keeps it, in ms. The migration that began it has made it of the tasks that were there. */
export const AHEAD = "ahead";

/** Keeps it in a document. */
export class Ahead {
  readonly #documents: PgDocuments;
  /** What the document has at least. */
  #known = 0;

  constructor(documents: PgDocuments) {
    this.#documents = documents;
  }

  /** Reads it, in ms. */
  async read(): Promise<number> {
    this.#known = Number(await this.#documents.read(AHEAD) ?? 0);
    return this.#known;
  }

  /** Called before a task is stored. Almost none is further ahead than any was before. */
  async note(task: TaskInfo): Promise<void> {
    const ahead = aheadOf(task);
    if (ahead <= this.#known) return;
    await changeDocument(this.#documents, AHEAD, (text) => String(Math.max(ahead, Number(text ?? 0))));
    this.#known = Math.max(ahead, this.#known);
  }
}
