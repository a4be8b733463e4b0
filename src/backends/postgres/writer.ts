/**
 * Group commit: writes that are made at the same moment become one statement, and share one wait for the disk. `record.ts`
 * decides what becomes of a task; the statement only checks that the task has not changed since it was read.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { batched } from "../shared/batch.ts";
import { mayBeReady } from "../shared/store/hub.ts";
import { type Database, isAway } from "./database.ts";
import type { Query } from "./pg.ts";
import type { Change, NewRow } from "./rows.ts";
import { changes } from "./tables/change.ts";
import { creations } from "./tables/create.ts";

/** The most writes of one statement, statements of a kind under way at once, and text of all of these, in UTF-16 units. */
export const MAX_WRITES = 100;
const AT_ONCE = 2;
const MAX_TEXT = 32 * 1024 * 1024;

/** Receives changes that are stored. `isNotified`: the other processes have been notified already. */
export type Written = (tasks: readonly TaskInfo[], isNotified: boolean) => void;

/** Announces writes. */
export interface Announcer {
  /**
   * Returns the statement that notifies the other processes, also of what was to be announced a little later; `ready`: a task may
   * be ready to run.
   */
  notification(ready: boolean): Query;
  /** A write has failed that may have been made even so, with its notification or without. */
  unsure(): void;
}

/** Writes for one process. */
export class Writer {
  /**
   * Stores a new task. Resolves with whether it did: not if its id is taken, or its key names another task. Rejects with
   * `BackendError` while the database fails; the write may have been made even so.
   */
  readonly create: (task: NewRow) => Promise<boolean>;
  /** Changes a task, as `create`. Resolves with whether it did: not if the task has changed since it was read. */
  readonly change: (change: Change) => Promise<boolean>;
  /** The name under which this process writes events. */
  readonly name: string;
  /** Called with what a statement has changed, once it is stored. */
  readonly written: Written;
  readonly #run: Database["run"];
  readonly #log: Announcer;

  constructor({ schema, run }: Pick<Database, "schema" | "run">, name: string, written: Written, log: Announcer) {
    this.name = name;
    this.written = written;
    this.#run = run;
    this.#log = log;
    const options = { atOnce: AT_ONCE, enough: MAX_WRITES / 4, maxSize: MAX_TEXT, isFatal: isAway };
    const [create, change] = [creations(schema), changes(schema)];
    this.create = batched((rows) => this.#write(rows, create), MAX_WRITES, options, ({ input }) => input.length);
    this.change = batched(
      (rows) => this.#write(rows, change),
      MAX_WRITES,
      options,
      ({ outcome = "" }) => outcome.length,
    );
  }

  async #write<Row extends NewRow | Change>(
    rows: readonly Row[],
    prepare: (rows: readonly Row[], writer: string) => Query,
  ): Promise<readonly boolean[]> {
    // Of two changes of one task that was read at the same version, the first one counts.
    const first = new Map(rows.map((row) => [row.record.info.id, row] as const).reverse());
    // In the order of their ids, so that no two statements wait for each other.
    const sorted = [...first.values()].sort((a, b) => a.record.info.id < b.record.info.id ? -1 : 1);
    const ready = sorted.some(({ record }) => mayBeReady(record.info));
    const query = prepare(sorted, this.name);
    const writing = this.#run<{ ids: string | null }>(query, query.values, this.#log.notification(ready));
    const [row] = await writing.catch((error) => {
      this.#log.unsure();
      throw error;
    });
    const ids = new Set(row?.ids?.split(","));
    const done = rows.map((row) => first.get(row.record.info.id) === row && ids.has(row.record.info.id));
    if (ids.size > 0) this.written(rows.filter((_, index) => done[index]).map(({ record }) => record.info), true);
    return done;
  }
}
