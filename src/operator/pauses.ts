/**
 * Which jobs are paused: one document each. Workers keep what they have read until an event says that it has changed.
 *
 * @module
 */
import type { DocumentStore } from "../backend.ts";
import { changeDocument } from "./documents.ts";
import type { JobPauses } from "./primitives.ts";

/** How the name of the document begins that says that a job is paused; the name of the job follows. */
export const PAUSED = "paused:";

/** Reads and changes pauses. */
export class Pauses implements JobPauses, Disposable {
  readonly #documents: DocumentStore;
  readonly #changed: () => void;
  readonly #unsubscribe: () => void;
  /** The paused jobs, as last read or being read; absent: they are to be read again. */
  #jobs: Promise<ReadonlySet<string>> | undefined;

  /** `changed` is called when the pauses may have changed: jobs that wait may be free now. */
  constructor(documents: DocumentStore, changed: () => void = () => {}) {
    this.#documents = documents;
    this.#changed = changed;
    this.#unsubscribe = documents.watch((name) => {
      if (name === undefined || name.startsWith(PAUSED)) this.#reread();
    });
  }

  /** What was read may be outdated: the pauses are read again before anything begins. */
  forget(): void {
    this.#jobs = undefined;
  }

  /** From now on, the pauses are read again before anything begins, and jobs that wait may be free. */
  #reread(): void {
    this.forget();
    this.#changed();
  }

  /** The paused jobs. Rejects with `BackendError` while they cannot be read. */
  async jobs(): Promise<ReadonlySet<string>> {
    while (true) {
      const reading = this.#jobs ??= this.#read();
      try {
        const jobs = await reading;
        // What has changed meanwhile counts, too.
        if (reading === this.#jobs) return jobs;
      } catch (error) {
        if (reading === this.#jobs) this.#jobs = undefined;
        throw error;
      }
    }
  }

  /** The jobs of these that are not paused. `again`: reads anew, because a change may have been missed. */
  async unpaused(jobs: readonly string[], again: boolean = false): Promise<readonly string[]> {
    if (again) this.forget();
    const paused = await this.jobs();
    return paused.size === 0 ? jobs : jobs.filter((job) => !paused.has(job));
  }

  /** Pauses a job, and nothing else. */
  async pause(job: string): Promise<readonly string[]> {
    await this.#write(job, JSON.stringify({ job }));
    return [];
  }

  /** Ends a pause. */
  async resume(job: string): Promise<void> {
    await this.#write(job, undefined);
  }

  /** Unsubscribes from changes. */
  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  async #write(job: string, text: string | undefined): Promise<void> {
    await changeDocument(this.#documents, PAUSED + job, () => text);
    this.#reread();
  }

  async #read(): Promise<ReadonlySet<string>> {
    const documents = await this.#documents.list(PAUSED);
    return new Set(documents.map(({ name }) => name.slice(PAUSED.length)));
  }
}
