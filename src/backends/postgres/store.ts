/**
 * Task records in PostgreSQL: read in batches, written by the `Writer`.
 *
 * @module
 */
import type { TaskPage } from "../../backend.ts";
import { BackendError, TaskExpired, TaskNotFound } from "../../errors.ts";
import { isTaskId, NO_TASK } from "../../ids.ts";
import { toText } from "../../json.ts";
import { hasExpired, type Json, type Outcome, type TaskInfo } from "../../task.ts";
import { batched } from "../shared/batch.ts";
import type { TaskRecord } from "../shared/record.ts";
import type { Database, Statement } from "./database.ts";
import type { Writer } from "./writer.ts";

/** A task as it was read or written. */
export interface Entry {
  readonly record: TaskRecord;
  readonly version: number;
}

/** A row of `tasks`. */
export interface TaskRow {
  readonly id: string;
  readonly version: number;
  readonly info: string;
  readonly rest: string;
}

/** The most tasks read at once. */
const MOST_READ = 200;

/** Reads and writes task records. */
export class TaskStore {
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #read: (id: string) => Promise<Entry | undefined>;
  readonly #page: Statement;
  readonly #body: Statement;

  /** Takes the database and the writer of this process. */
  constructor(database: Database, writer: Writer) {
    const { schema } = database;
    this.#database = database;
    this.#writer = writer;
    const read = {
      name: "mcp_jobs_read",
      text: `SELECT id, version, info, rest FROM ${schema}.tasks WHERE id = ANY($1::uuid[])`,
    };
    this.#read = batched(async (ids) => {
      const rows = await database.run<TaskRow>(read, [[...new Set(ids)]]);
      const found = new Map(rows.map((row) => [row.id, entryOf(row)]));
      return ids.map((id) => found.get(id));
    }, MOST_READ);
    this.#page = {
      name: "mcp_jobs_page",
      text: `SELECT info FROM ${schema}.tasks WHERE owner = $1 AND id < $2::uuid ORDER BY id DESC LIMIT $3`,
    };
    this.#body = { name: "mcp_jobs_body", text: `SELECT body FROM ${schema}.bodies WHERE id = $1::uuid AND kind = $2` };
  }

  /** Reads a task for its owner. Rejects with `TaskNotFound` or `TaskExpired`. */
  async find(id: string, owner: string): Promise<Entry> {
    // What is no id of ours costs the same read, so that nobody learns from the time.
    const entry = await this.#read(isTaskId(id) ? id : NO_TASK);
    if (entry?.record.info.owner !== owner) throw new TaskNotFound(id);
    if (hasExpired(entry.record.info, this.#database.now)) throw new TaskExpired(id);
    return entry;
  }

  /** Reads a task, if it is there. */
  read(id: string): Promise<Entry | undefined> {
    return this.#read(id);
  }

  /** Lists an owner's tasks before the cursor, the newest first. */
  async page(owner: string, cursor: string | undefined, limit: number): Promise<TaskPage> {
    const tasks: TaskInfo[] = [];
    let before = cursor ?? LAST_ID;
    while (true) {
      const rows = await this.#database.run<{ info: string }>(this.#page, [JSON.stringify(owner), before, limit + 1]);
      for (const { info } of rows) {
        const task: TaskInfo = JSON.parse(info);
        before = task.id;
        if (hasExpired(task, this.#database.now)) continue;
        if (tasks.length === limit) return { tasks, nextCursor: tasks.at(-1)?.id };
        tasks.push(task);
      }
      if (rows.length <= limit) return { tasks };
    }
  }

  /** Writes a new task; says whether its id was new. */
  create(record: TaskRecord, input: Json): Promise<boolean> {
    return this.#writer.write({ record, version: 0, body: toText(input, "The input") });
  }

  /**
   * Writes a change. Resolves with the entry as it is now, or with `undefined` if somebody else has changed the task since
   * it was read; nothing is written then.
   */
  async change(entry: Entry, record: TaskRecord, outcome?: Outcome): Promise<Entry | undefined> {
    const { record: before, version } = entry;
    const done = await this.#writer.write({ record, version, before, body: outcome && JSON.stringify(outcome) });
    return done ? { record, version: version + 1 } : undefined;
  }

  /** Reads the input of a task. */
  async input(id: string): Promise<Json> {
    const input = await this.#load<Json>(id, "i");
    if (input === undefined) {
      throw new BackendError(`Cannot read the input of task ${id}: it is missing in PostgreSQL.`);
    }
    return input;
  }

  /** Reads how a task ended; `undefined` while nothing is stored. */
  outcome(id: string): Promise<Outcome | undefined> {
    return this.#load<Outcome>(id, "o");
  }

  async #load<T>(id: string, kind: "i" | "o"): Promise<T | undefined> {
    const [row] = await this.#database.run<{ body: string }>(this.#body, [id, kind]);
    return row && JSON.parse(row.body);
  }
}

/** Sorts behind every id. */
const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** The task in a row. */
export function entryOf({ info, rest, version }: TaskRow): Entry {
  return { record: { info: JSON.parse(info), ...JSON.parse(rest) }, version };
}
