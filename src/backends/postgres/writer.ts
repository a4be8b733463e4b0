/**
 * Group commit: writes that are made at the same moment become one statement, and share one wait for the disk. `record.ts`
 * decides what becomes of a task; the statement only checks that the task has not changed since it was read.
 *
 * @module
 */
import type { Outcome, TaskInfo } from "../../task.ts";
import { batched } from "../shared/batch.ts";
import { type Hub, readyJobs } from "../shared/store/hub.ts";
import type { Database } from "./connecting/database.ts";
import { isAway } from "./connecting/failures.ts";
import type { EventLog } from "./events.ts";
import type { TaskRecord } from "../shared/record.ts";
import { type Change, type NewRow, recordOf, SMALL_OUTCOME } from "./rows.ts";
import { changes } from "./tables/change.ts";
import { creation, start } from "./tables/create.ts";
import { arraysOf, type Statement } from "./tables/rows_in.ts";
import type { Query } from "./connecting/pg.ts";

/**
 * The most writes of one statement, statements of a kind under way at once, and text of all of these, in UTF-16 units. Kinds
 * are creations, starts and changes of tasks, steps, and messages of streams.
 */
export const MAX_WRITES = 100;
const AT_ONCE = 2;
const MAX_TEXT = 32 * 1024 * 1024;

/**
 * Makes writes of the same moment one statement. `sizeOf`: the text of one, in UTF-16 units. When the database is away, writes
 * that wait behind a statement fail with it.
 */
export function writing<Row, Out>(
  write: (rows: readonly Row[]) => Promise<readonly Out[]>,
  sizeOf: (row: Row) => number,
): (row: Row) => Promise<Out> {
  const options = { atOnce: AT_ONCE, enough: MAX_WRITES / 4, maxSize: MAX_TEXT, isFatal: isAway };
  return batched(write, MAX_WRITES, options, sizeOf);
}

/** Tells the other processes of writes. */
type Announcer = Pick<EventLog, "notification" | "notifyLater" | "unsure">;

/** What is written of a task. */
interface Row {
  readonly record: TaskRecord;
  /** The worker that claims it with its creation. */
  readonly worker?: string;
  /** How it ended, as JSON. */
  readonly outcome?: string;
}

/** What a statement returns: the ids of the tasks that it has written, and when it has claimed them. */
interface Written {
  readonly ids: string | null;
  readonly at?: number;
}

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
  readonly #run: Database["run"];
  readonly #hub: Pick<Hub, "written">;
  readonly #log: Announcer;

  /** `hub` is told what is stored; `log` tells the other processes. */
  constructor(
    { schema, run }: Pick<Database, "schema" | "run">,
    name: string,
    hub: Pick<Hub, "written">,
    log: Announcer,
  ) {
    this.name = name;
    this.#run = run;
    this.#hub = hub;
    this.#log = log;
    const [creating, starting, changing] = [creation(schema), start(schema), changes(schema)];
    this.create = writing((rows) => this.#write(rows, creating), ({ input }) => input.length);
    this.start = writing((rows) => this.#write(rows, starting, true), ({ input }) => input.length);
    this.change = writing((rows) => this.#write(rows, changing(rows)), ({ outcome = "" }) => outcome.length);
  }

  async changeDocument(query: Query, name: string): Promise<boolean> {
    const rows = await this.#send(query, this.#log.notification());
    if (rows.length > 0) this.#hub.written([], [name]);
    return rows.length > 0;
  }

  /** Announces tasks that a statement has claimed. Other processes have little to do with them, so they are told a little later. */
  claimed(tasks: readonly TaskInfo[]): void {
    if (tasks.length === 0) return;
    this.#hub.written(tasks);
    this.#log.notifyLater();
  }

  async #write<R extends Row>(
    rows: readonly R[],
    { columns, ...statement }: Statement<R>,
    claims = false,
  ): Promise<readonly (TaskRecord | undefined)[]> {
    // Of two changes of one task that was read at the same version, the first one counts.
    const first = new Map(rows.map((row) => [row.record.info.id, row] as const).reverse());
    // In the order of their ids, so that no two statements wait for each other.
    const sorted = [...first.values()].sort((a, b) => a.record.info.id < b.record.info.id ? -1 : 1);
    const query = { ...statement, values: [this.name, ...arraysOf(columns, sorted)] };
    const ready = readyJobs(sorted.map(({ record }) => record.info));
    const [row] = await this.#send<Written>(query, claims ? undefined : this.#log.notification(ready));
    const ids = new Set(row?.ids?.split(","));
    const written = rows.map((one) => {
      const { record, worker = null } = one;
      const isDone = first.get(record.info.id) === one && ids.has(record.info.id);
      return isDone ? recordOf(record, worker, row?.at ?? null) : undefined;
    });
    const tasks = written.flatMap((record) => record?.info ?? []);
    if (claims) this.claimed(tasks);
    else this.#hub.written(tasks, [], outcomesOf(sorted));
    return written;
  }

  async #send<Result>(query: Query, notification: Query | undefined): Promise<readonly Result[]> {
    try {
      return await this.#run(query, query.values, notification);
    } catch (error) {
      this.#log.unsure();
      throw error;
    }
  }
}

/** How tasks end by these writes, unless that is large. */
function outcomesOf(rows: readonly Row[]): ReadonlyMap<TaskInfo, Outcome> {
  return new Map(rows.flatMap(({ record, outcome }) => {
    return outcome !== undefined && outcome.length <= SMALL_OUTCOME ? [[record.info, JSON.parse(outcome)]] : [];
  }));
}
