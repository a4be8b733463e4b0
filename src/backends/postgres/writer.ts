/**
 * Group commit: writes that are made at the same moment become one statement, and share one wait for the disk. `record.ts`
 * decides what becomes of a task; the statement only checks that the task has not changed since it was read.
 *
 * @module
 */
import type { Outcome, TaskInfo } from "../../task.ts";
import { batched } from "../shared/batch.ts";
import { readyJobs } from "../shared/store/hub.ts";
import { type Database, isAway } from "./database.ts";
import type { EventLog } from "./events.ts";
import type { TaskRecord } from "../shared/record.ts";
import { type Change, type NewRow, recordOf, SMALL_OUTCOME } from "./rows.ts";
import { changes } from "./tables/change.ts";
import { creations, starts } from "./tables/create.ts";
import type { Prepare } from "./tables/rows_in.ts";

/** The most writes of one statement, statements of a kind under way at once, and text of all of these, in UTF-16 units. */
export const MAX_WRITES = 100;
const AT_ONCE = 2;
const MAX_TEXT = 32 * 1024 * 1024;

/**
 * Receives changes that are stored, and how tasks have ended unless that is large. `isNotified`: the other processes have been
 * notified already.
 */
export type Announce = (
  tasks: readonly TaskInfo[],
  isNotified: boolean,
  outcomes?: ReadonlyMap<TaskInfo, Outcome>,
) => void;

/** What a statement returns: the ids of the tasks that it has written, and when it has claimed them. */
interface Written {
  readonly ids: string | null;
  readonly at?: number;
}

/** Tells the other processes of writes. */
type Announcer = Pick<EventLog, "notification" | "unsure">;

/** Writes for one process. */
export class Writer {
  /**
   * Stores a new task. Resolves with it, or with `undefined` if its id is taken, or its key names another task. Rejects with
   * `BackendError` while the database fails; the write may have been made even so.
   */
  readonly create: (task: NewRow) => Promise<TaskRecord | undefined>;
  /** As `create`, and claims the task for its worker. `undefined` also if that may not claim it now. */
  readonly start: (task: NewRow) => Promise<TaskRecord | undefined>;
  /** Changes a task, as `create`; `undefined` if the task has changed since it was read. */
  readonly change: (change: Change) => Promise<TaskRecord | undefined>;
  /** The name under which this process writes events. */
  readonly name: string;
  /** Called with what a statement has changed, once it is stored. */
  readonly written: Announce;
  readonly #run: Database["run"];
  readonly #log: Announcer;

  constructor({ schema, run }: Pick<Database, "schema" | "run">, name: string, written: Announce, log: Announcer) {
    this.name = name;
    this.written = written;
    this.#run = run;
    this.#log = log;
    const options = { atOnce: AT_ONCE, enough: MAX_WRITES / 4, maxSize: MAX_TEXT, isFatal: isAway };
    const writing = <Row extends NewRow | Change>(prepare: Prepare<Row>, sizeOf: (row: Row) => number) =>
      batched((rows: readonly Row[]) => this.#write(rows, prepare), MAX_WRITES, options, sizeOf);
    this.create = writing(creations(schema), ({ input }) => input.length);
    this.start = writing(starts(schema), ({ input }) => input.length);
    this.change = writing(changes(schema), ({ outcome = "" }) => outcome.length);
  }

  async #write<Row extends NewRow | Change>(
    rows: readonly Row[],
    prepare: Prepare<Row>,
  ): Promise<readonly (TaskRecord | undefined)[]> {
    // Of two changes of one task that was read at the same version, the first one counts.
    const first = new Map(rows.map((row) => [row.record.info.id, row] as const).reverse());
    // In the order of their ids, so that no two statements wait for each other.
    const sorted = [...first.values()].sort((a, b) => a.record.info.id < b.record.info.id ? -1 : 1);
    const claims = sorted.some((row) => workerOf(row) !== null);
    const query = prepare(sorted, this.name);
    // Other processes have little to do with a task that is claimed already: their notification can wait for the next one.
    const notification = claims
      ? undefined
      : this.#log.notification(readyJobs(sorted.map(({ record }) => record.info)));
    const writing = this.#run<Written>(query, query.values, notification);
    const [row] = await writing.catch((error) => {
      this.#log.unsure();
      throw error;
    });
    const ids = new Set(row?.ids?.split(","));
    const written = rows.map((one) => {
      const isDone = first.get(one.record.info.id) === one && ids.has(one.record.info.id);
      return isDone ? recordOf(one.record, workerOf(one), row?.at ?? null) : undefined;
    });
    if (ids.size > 0) this.written(written.flatMap((record) => record?.info ?? []), !claims, outcomesOf(sorted));
    return written;
  }
}

/** How tasks end by these writes, unless that is large. */
function outcomesOf(rows: readonly (NewRow | Change)[]): ReadonlyMap<TaskInfo, Outcome> {
  return new Map(rows.flatMap((row) => {
    const { outcome = "" } = "outcome" in row ? row : {};
    return outcome !== "" && outcome.length <= SMALL_OUTCOME ? [[row.record.info, JSON.parse(outcome)]] : [];
  }));
}

function workerOf(row: NewRow | Change): string | null {
  return "worker" in row ? row.worker ?? null : null;
}
