/**
 * The most that the time in a task's id is ahead of its creation. The server's clock makes the id, and the database's clock
 * says when the task was created.
 *
 * @module
 */
import { aheadOf } from "../../../ids.ts";
import { changeDocument } from "../../../operator/documents.ts";
import type { TaskInfo } from "../../../task.ts";
import { batched } from "../../shared/batch.ts";
import type { Store } from "../../shared/store/store.ts";
import { isAway } from "../connecting/failures.ts";

/** The document that keeps it, in ms. */
const AHEAD = "ahead";

/** The most tasks whose maximum is kept at once. */
const MAX_NOTED = 1_000;

/** Keeps this maximum in a document. */
export class Ahead {
  readonly #documents: Store["documents"];
  /** Tasks that are created at once share one change of the document: each of its own would conflict with the others. */
  readonly #keep: (ahead: number) => Promise<void>;
  /** A lower bound of what the document has. */
  #known = 0;

  constructor(documents: Store["documents"]) {
    this.#documents = documents;
    this.#keep = batched((all) => this.#keepMost(all), MAX_NOTED, { isFatal: isAway });
  }

  /** Reads the maximum, in ms. */
  async read(): Promise<number> {
    this.#known = Number(await this.#documents.read(AHEAD) ?? 0);
    return this.#known;
  }

  /** Called before a task is stored. It rarely writes: few ids are further ahead than all before. */
  async note(task: TaskInfo): Promise<void> {
    const ahead = aheadOf(task);
    if (ahead > this.#known) await this.#keep(ahead);
  }

  async #keepMost(all: readonly number[]): Promise<void[]> {
    const ahead = Math.max(...all);
    if (ahead > this.#known) {
      await changeDocument(this.#documents, AHEAD, (text) => String(Math.max(ahead, Number(text ?? 0))));
      this.#known = Math.max(ahead, this.#known);
    }
    return all.map(() => undefined);
  }
}
