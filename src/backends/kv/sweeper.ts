/**
 * Deletes the pieces of large texts that nothing refers to, now and then. What KV can expire by itself needs no sweep.
 *
 * @module
 */
import { unheard } from "../../log/log_error.ts";
import { sweepBlobs } from "./blobs.ts";
import type { Committer } from "./committer.ts";

/** How often it looks, in ms. */
const SWEEP_MS = 60_000;

/** The pause after a full page, in ms: a process that only writes would keep the others from writing. */
const PAGE_PAUSE_MS = 50;

/** Sweeps one KV file for one process. */
export class Sweeper implements AsyncDisposable {
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  /** Starts; the first sweep is after a random part of the pause, so that processes take turns. */
  constructor(kv: Deno.Kv, committer: Committer) {
    this.#kv = kv;
    this.#committer = committer;
    this.#wait(SWEEP_MS * Math.random());
  }

  /** Deletes all that is due, page after page. */
  async sweep(now: number = Date.now()): Promise<void> {
    while (!this.#closed && await sweepBlobs(this.#kv, this.#committer, now)) {
      await new Promise((resolve) => setTimeout(resolve, PAGE_PAUSE_MS));
    }
  }

  /** Stops, after the page under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      // What fails now is due again the next time.
      const failed = unheard("delete what the KV file no longer needs");
      this.#sweeping = this.sweep().catch(failed).finally(() => this.#wait(SWEEP_MS));
    }, ms);
  }
}
