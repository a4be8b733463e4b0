/**
 * Events across processes. Each statement that changes tasks adds a numbered row of events; a notification only says that
 * there are new rows. Each process reads the rows after the last number it has seen.
 *
 * Rows become visible in the order of their commits, not of their numbers. A missing number is read again until it appears
 * or must have been rolled back. The changes of one task are in order, because each starts after the one before was
 * committed.
 *
 * @module
 */
import { pause, unlessAborted } from "../../waiting.ts";
import type { OnError } from "../../log/on_error.ts";
import type { Database } from "./connecting/database.ts";
import { type HubListener, readyJobs } from "../shared/store/hub.ts";
import { type Client, close, type Query } from "./connecting/pg.ts";
import { recordOf, type TaskRow } from "./rows.ts";
import { EventNumbers, lastNumbers, MISSING_MS } from "./event_numbers.ts";
import type { TaskInfo } from "../../task.ts";
import type { TaskRecord } from "../shared/record.ts";

/** How often events are read without a notification, in ms: while no connection listens, and as a safety net. */
const POLL_MS = 250;
const SAFETY_POLL_MS = 2_000;

/** How often the listening connection is checked, in ms: a silent network closes nothing. */
const PULSE_MS = 5_000;
const IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on' AS \"readOnly\"";

/** How long a notification of claims waits for others, in ms. */
const LATER_MS = 5;

/** In the place of jobs in a notification: any of them. */
const ANY_JOB = "*";

/** The most UTF-16 units of a notification; PostgreSQL takes 8,000 bytes. */
const MAX_PAYLOAD = 2_000;

/** The pause before the next attempt to listen, in ms. */
const RETRY_MS = 200;

/** No process writes under this name. */
const NOBODY = "00000000-0000-0000-0000-000000000000";

/** The most characters of a channel's name. */
const MAX_NAME = 63;

/** The most rows read at once. */
const PAGE = 1_000;

/** How long events are kept, in ms. A process that could not read for so long may have missed some. */
export const EVENT_TTL_MS = 60_000;

/** A row of `events`: the records of tasks as JSON. A claim stores them as they were before, with who has claimed them. */
interface EventRow extends Pick<TaskRow, "holder" | "claimedAt"> {
  /** When the server was started. */
  readonly server: string;
  /** `null`: there is no event. */
  readonly seq: number | null;
  /** `null` for what this process has written. */
  readonly tasks: string | null;
  readonly document: string | null;
}

export interface EventLogOptions {
  /** The name under which this process writes events. */
  readonly writer: string;
  /** Whether a connection listens for notifications. */
  readonly listens: boolean;
  readonly listener: HubListener;
  readonly onError: OnError;
}

/** Reads the events of all other processes. */
export class EventLog implements AsyncDisposable {
  readonly #database: Database;
  readonly #listener: HubListener;
  readonly #onError: OnError;
  readonly #channel: string;
  readonly #writer: string;
  /** Not a promise: until that settles, it keeps every callback that a wait has added to it. */
  readonly #closed = new AbortController();
  readonly #listening: Promise<void>;
  #numbers: EventNumbers;
  /** When the server was started that events were last read from: it tells servers apart. */
  #server: string | undefined;
  #readAt: number = performance.now();
  /** Whether this process may have missed changes, and until when its own events are read like those of others. */
  #gap = false;
  #unsureUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  /** Whether tasks may be ready of which no notification has told this process. */
  #unannounced = false;
  #notifying: Promise<void> | undefined;
  /** Whether the other processes are to be notified, and that tasks of any job may be ready. */
  #isDue = false;
  #isAnyReady = false;
  /** The connection that listens, while it does. */
  #client: Client | undefined;

  private constructor(database: Database, numbers: readonly number[], options: EventLogOptions) {
    this.#onError = options.onError;
    this.#database = database;
    this.#writer = options.writer;
    this.#numbers = new EventNumbers(numbers);
    this.#listener = options.listener;
    // One channel per schema, so that several systems can share a database. Two that share a name wake each other in vain.
    this.#channel = `mcp_jobs_${database.schema.toLowerCase().replaceAll(/\W/g, "_")}`.slice(0, MAX_NAME);
    this.#listening = options.listens ? this.#listen() : Promise.resolve();
    this.#wait();
  }

  /** Opens the log. Every later change is reported, also of statements that are under way now. */
  static async open(database: Database, options: EventLogOptions): Promise<EventLog> {
    return new EventLog(database, await lastNumbers(database), options);
  }

  /**
   * The statement that notifies the other processes of new events, to be sent right behind the one that writes them, and of
   * which `jobs` tasks may be ready to run. It includes what was to be notified a little later. It does not wait for the disk,
   * since PostgreSQL commits one notification at a time.
   */
  notification(jobs: ReadonlySet<string> = new Set()): Query {
    const payload = [this.#writer, ...this.#isAnyReady ? [ANY_JOB] : jobs].join(" ");
    this.#isDue = this.#isAnyReady = false;
    return {
      name: "mcp_jobs_notify",
      text: `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${this.#channel}', $1)`,
      values: [payload.length > MAX_PAYLOAD ? `${this.#writer} ${ANY_JOB}` : payload],
    };
  }

  /** Notifies the other processes of new events a little later, unless another notification does so before. */
  notifyLater(): void {
    if (!this.#isOpen) return; // The others find the events with their next poll.
    this.#isDue = true;
    this.#notifying ??= this.#notifyWhileDue();
  }

  /**
   * A statement of this process has failed that writes events. It may have been carried out even so, or still be: for a while
   * this process reads its own events, too. The notification of earlier ones may be lost with it.
   */
  unsure(): void {
    this.#gap = true;
    this.#unsureUntil = performance.now() + MISSING_MS;
    this.#isAnyReady = true;
    this.notifyLater();
    this.#read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    await Promise.all([this.#listening, this.#reading, this.#notifying]);
  }

  async #notifyWhileDue(): Promise<void> {
    while (this.#isDue) {
      await pause(LATER_MS, this.#closed.signal);
      if (!this.#isDue) break;
      const query = this.notification();
      // This process need not be woken by its own notification.
      const sent = this.#isOpen && this.#client?.query(query) || this.#database.run(query, query.values);
      await sent.catch(() => {}); // The others find the events with their next poll.
    }
    this.#notifying = undefined;
  }

  async #listen(): Promise<void> {
    while (this.#isOpen) {
      const client = this.#database.client();
      const lost = Promise.withResolvers<never>();
      client.on("error", lost.reject);
      client.on("end", () => lost.reject(new Error("The connection was closed.")));
      client.on("notification", ({ payload = "" }) => {
        const [writer, ...jobs] = payload.split(" ");
        if (writer === this.#writer && !this.#isUnsure) return;
        if (jobs.length > 0) this.#listener.ready(jobs.includes(ANY_JOB) ? undefined : new Set(jobs));
        this.#read();
      });
      try {
        await unlessAborted(Promise.race([lost.promise, this.#listenOn(client)]), this.#closed.signal);
      } catch (error) {
        if (this.#isOpen) {
          // Until it listens again, events are polled.
          this.#onError(error, { where: "listen to PostgreSQL" });
          this.#database.cutOffIdle();
        }
      }
      this.#client = undefined;
      close(client);
      await client.end().catch(() => {}); // It is closed already.
      await pause(RETRY_MS, this.#closed.signal);
    }
  }

  /** Listens, and regularly checks that the server still answers and is still the one that tasks are written to. */
  async #listenOn(client: Client): Promise<void> {
    await client.connect();
    await client.query(`LISTEN ${this.#channel}`);
    this.#client = client;
    this.#read(true);
    while (true) {
      await pause(PULSE_MS, this.#closed.signal);
      if (!this.#isOpen) return;
      const { rows: [row] } = await client.query<{ readOnly: boolean }>(IS_READ_ONLY);
      if (row?.readOnly) throw new Error("it is read-only now");
    }
  }

  #wait(): void {
    if (!this.#isOpen) return;
    clearTimeout(this.#timer);
    const ms = this.#client && this.#numbers.missing.length === 0 ? SAFETY_POLL_MS : POLL_MS;
    this.#timer = setTimeout(() => this.#read(true), ms);
  }

  /** Reads new events, now or as soon as the read under way is over. */
  #read(unannounced = false): void {
    if (!this.#isOpen) return;
    this.#unannounced ||= unannounced;
    this.#again = this.#reading !== undefined;
    // After an error the next poll starts at the same number.
    const failed = (error: unknown) => this.#onError(error, { where: "read events of PostgreSQL" });
    this.#reading ??= this.#readOn().catch(failed).finally(() => {
      this.#reading = undefined;
      this.#wait();
      if (this.#again) this.#read();
    });
  }

  get #isOpen(): boolean {
    return !this.#closed.signal.aborted;
  }

  get #isUnsure(): boolean {
    return performance.now() < this.#unsureUntil;
  }

  async #readOn(): Promise<void> {
    const begun = performance.now();
    const unannounced = this.#unannounced;
    this.#unannounced = false;
    let rows = await this.#rows();
    const [first] = rows;
    if (this.#server !== undefined && first?.server !== this.#server) {
      // A replica that became the primary may have lost the last numbers, and has given them to other events.
      this.#numbers = new EventNumbers(await lastNumbers(this.#database));
      this.#gap = this.#again = true;
      this.#listener.restarted?.();
      this.#listener.ready();
      rows = [];
    }
    this.#server = first?.server;
    if (this.#gap || begun - this.#readAt > EVENT_TTL_MS / 2) this.#listener.event({ kind: "gap" });
    this.#gap = false;
    this.#readAt = begun;
    const found: TaskInfo[] = [];
    for (const { seq, tasks, document, holder, claimedAt } of rows) {
      if (seq !== null) this.#numbers.add(seq, begun);
      // Changes of this process were reported at once, if it knew of them.
      if (tasks === null) continue;
      if (document !== null) this.#listener.document?.(document);
      for (const stored of JSON.parse(tasks) as TaskRecord[]) {
        const { info: task } = recordOf(stored, holder, claimedAt);
        found.push(task);
        this.#listener.event({ kind: "change", task });
      }
    }
    const jobs = readyJobs(unannounced ? found : []);
    if (jobs.size > 0) this.#listener.ready(jobs);
    this.#numbers.giveUp(begun);
    if (rows.length >= PAGE) this.#read(unannounced);
  }

  /** New rows, and those that were missing; one without an event if there is none. */
  #rows(): Promise<readonly EventRow[]> {
    const { schema, run } = this.#database;
    return run<EventRow>({
      name: "mcp_jobs_events",
      text: `SELECT server, seq::float8 AS seq, CASE WHEN writer <> $3 THEN tasks END AS tasks, document, holder,
          claimed_at AS "claimedAt"
        FROM (SELECT pg_postmaster_start_time()::text AS server) AS here LEFT JOIN (
          (SELECT * FROM ${schema}.events WHERE seq > $1 ORDER BY seq LIMIT ${PAGE})
          UNION ALL SELECT * FROM ${schema}.events WHERE seq = ANY($2)
        ) AS found ON true ORDER BY seq`,
    }, [this.#numbers.last, this.#numbers.missing, this.#isUnsure ? NOBODY : this.#writer]);
  }
}
