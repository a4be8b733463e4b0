/**
 * What a run needs to know of its queue.
 *
 * @module
 */

/** A queue, and how the roles of the run find it. */
export interface RunQueue extends AsyncDisposable {
  /** A line about it to print, if there is one. */
  readonly about?: string;
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
