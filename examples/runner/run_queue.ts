/**
 * What a run needs to know of its queue.
 *
 * @module
 */

/** A queue, and how the roles of the run are told of it. */
export interface RunQueue extends AsyncDisposable {
  /** What it is, where that is not plain. */
  readonly about?: string;
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
