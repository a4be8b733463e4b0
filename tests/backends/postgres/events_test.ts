import pg from "pg";
import { createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import type { TaskEvent } from "../../../src/backend.ts";
import { Database } from "../../../src/backends/postgres/connecting/database.ts";
import { EventLog } from "../../../src/backends/postgres/events.ts";
import type { HubListener } from "../../../src/backends/shared/store/hub.ts";
import { noOwnPostgres, noPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { emptyTables, sharedPostgres } from "../../support/postgres.ts";
import { testUnless } from "../../support/test_unless.ts";
import { Network } from "../support/network.ts";
import { newTask } from "../../support/tasks.ts";

const OWN = "00000000-0000-4000-8000-000000000001";
const OTHER = "00000000-0000-4000-8000-000000000002";

function openLog(
  database: Database,
  writer: string,
  listens: boolean,
  listener: HubListener = { event() {}, ready() {} },
): Promise<EventLog> {
  return EventLog.open(database, { writer, listens, listener, onError: ignored });
}

/** A log that reads what the test writes with connections of its own, in transactions that it ends when it likes. */
class Stage implements AsyncDisposable {
  readonly received: string[] = [];
  /** Called when a statement has failed that may have been carried out. */
  unsure: () => void = () => {};
  readonly #stack = new AsyncDisposableStack();
  readonly #url: string;

  readonly #listens: boolean;

  private constructor(url: string, listens: boolean) {
    this.#url = url;
    this.#listens = listens;
  }

  /** A log on tables, by default empty ones. */
  static async open(listens: boolean, url?: string): Promise<Stage> {
    const stage = new Stage(url ?? await emptyTables(), listens);
    await stage.#openLog();
    return stage;
  }

  /** Another log on the same tables, opened now. */
  async openSecond(): Promise<Stage> {
    const stage = new Stage(this.#url, this.#listens);
    await stage.#openLog();
    return stage;
  }

  async #openLog(): Promise<void> {
    const database = this.#stack.use(await Database.open(this.#url, "mcp_jobs", 3));
    const event = (event: TaskEvent) => void this.received.push(event.kind === "change" ? event.task.id : "gap");
    const listener = { event, ready: () => {} };
    const log = this.#stack.use(await openLog(database, OWN, this.#listens, listener));
    this.unsure = () => log.unsure();
  }

  /** A transaction that has added an event of this name. */
  async add(
    name: string,
    writer = OTHER,
    url = this.#url,
  ): Promise<{ end(how: "COMMIT" | "ROLLBACK"): Promise<void> }> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("BEGIN");
    const tasks = JSON.stringify([{ info: { id: name, status: "RUNNING" } }]);
    await client.query("INSERT INTO mcp_jobs.events (writer, tasks) VALUES ($1, $2)", [writer, tasks]);
    return {
      end: async (how) => {
        await client.query(how);
        await client.end();
      },
    };
  }

  async receivedAll(...names: readonly string[]): Promise<void> {
    await until(() => this.received.length >= names.length, `${names.length} events are heard`);
    assertEquals(this.received, names);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

for (const listens of [true, false]) {
  const how = listens ? "a log that listens" : "a log that polls";
  testUnless(noPostgres, `${how} emits events that are committed late, and each once`, async () => {
    await using stage = await Stage.open(listens);
    const late = await stage.add("late");
    const rolledBack = await stage.add("rolled back");
    const early = await stage.add("early");
    await early.end("COMMIT");
    await stage.receivedAll("early");
    await rolledBack.end("ROLLBACK");
    await late.end("COMMIT");
    await stage.receivedAll("early", "late");
    await (await stage.add("last")).end("COMMIT");
    await stage.receivedAll("early", "late", "last");
  });

  testUnless(noPostgres, `${how} emits events whose transactions were under way when it was opened`, async () => {
    await using stage = await Stage.open(listens);
    const late = await stage.add("late");
    await (await stage.add("before")).end("COMMIT");
    await stage.receivedAll("before");
    await using second = await stage.openSecond();
    await late.end("COMMIT");
    await second.receivedAll("late");
    await (await stage.add("last")).end("COMMIT");
    await second.receivedAll("late", "last");
  });

  testUnless(noPostgres, `${how} does not emit what its own process has written`, async () => {
    await using stage = await Stage.open(listens);
    await (await stage.add("own", OWN)).end("COMMIT");
    await (await stage.add("other")).end("COMMIT");
    await stage.receivedAll("other");
  });

  testUnless(
    noPostgres,
    `${how} emits what its own process may have written without an answer, however late`,
    async () => {
      await using stage = await Stage.open(listens);
      const late = await stage.add("late", OWN);
      await (await stage.add("own", OWN)).end("COMMIT");
      await (await stage.add("other")).end("COMMIT");
      await stage.receivedAll("other");
      stage.unsure();
      await stage.receivedAll("other", "gap");
      await late.end("COMMIT");
      await stage.receivedAll("other", "gap", "late");
    },
  );
}

for (const listens of [true, false]) {
  const how = listens ? "a log that listens" : "a log that polls";
  testUnless(noOwnPostgres, `${how} goes on after a failover to a replica that lacked the last events`, async () => {
    await using first = await PostgresServer.startOwn();
    await PostgresBackend.migrate(first);
    await using second = await first.startReplica();
    await using network = new Network(first.url);
    await using stage = await Stage.open(listens, network.url);
    await second.query("ALTER SYSTEM SET primary_conninfo = ''");
    await second.query("SELECT pg_reload_conf()");
    const follows = "SELECT FROM pg_stat_wal_receiver";
    await until(async () => (await second.query(follows)).length === 0, "the replica follows no more");
    // On a replica the numbers may be up to 32 ahead.
    await first.query(
      "INSERT INTO mcp_jobs.events (writer, tasks) SELECT gen_random_uuid(), '[]' FROM generate_series(1, 99)",
    );
    await (await stage.add("lost", OTHER, first.url)).end("COMMIT");
    await stage.receivedAll("lost");
    await first.kill();
    await second.promote();
    network.leadTo(second.url);
    await stage.receivedAll("lost", "gap");
    await (await stage.add("next", OTHER, second.url)).end("COMMIT");
    await stage.receivedAll("lost", "gap", "next");
  });
}

testUnless(noPostgres, "a log that was opened when all of many events had expired emits the next one", async () => {
  const url = await emptyTables();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("DELETE FROM mcp_jobs.events; ALTER TABLE mcp_jobs.events ALTER seq RESTART WITH 100000000");
  await client.end();
  await using stage = await Stage.open(true, url);
  await (await stage.add("next")).end("COMMIT");
  await stage.receivedAll("next");
});

testUnless(noPostgres, "a task that was created while no connection listened begins once one does again", async () => {
  const url = await emptyTables();
  // Its worker searches by itself only when it renews the lease.
  await using backend = await PostgresBackend.connect({ url, lease: 600_000, onError: ignored });
  await using other = await PostgresBackend.connect({ url, listen: false });
  let runs = 0;
  await using worker = createWorker(backend, [
    defineJob({ name: "job", input: { type: "object" }, run: () => void runs++ }),
  ]);
  await worker.ready;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const cut = async () => {
    const listening = "datname = current_database() AND query LIKE 'LISTEN %'";
    const { rows } = await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listening}`);
    return rows.length > 0;
  };
  await until(cut, "it listens");
  await other.create(newTask());
  await client.end();
  await until(() => runs === 1, "the task runs");
});

for (const schema of ["My Jobs", "x".repeat(63)]) {
  testUnless(noPostgres, `the schema ${schema} has notifications, too`, async () => {
    const url = await sharedPostgres().makeDatabase();
    await PostgresBackend.migrate({ url, schema });
    await using stack = new AsyncDisposableStack();
    const [reader, writer] = [
      stack.use(await Database.open(url, schema, 3)),
      stack.use(await Database.open(url, schema, 3)),
    ];
    let notified = 0;
    const client = () => {
      const client = Database.prototype.client.call(reader);
      client.on("notification", () => void notified++);
      return client;
    };
    Object.defineProperty(reader, "client", { value: client });
    const listener = { event() {}, ready() {} };
    stack.use(await openLog(reader, OWN, true, listener));
    const other = stack.use(await openLog(writer, OTHER, false, listener));
    const wake = () => {
      other.notifyLater();
      return Promise.resolve(notified > 0);
    };
    await until(wake, "a notification has arrived");
  });
}

testUnless(
  noPostgres,
  "a notification names the jobs of which tasks may be ready, unless these are too many",
  async () => {
    const url = await emptyTables();
    await using stack = new AsyncDisposableStack();
    const [reader, writer] = [
      stack.use(await Database.open(url, "mcp_jobs", 3)),
      stack.use(await Database.open(url, "mcp_jobs", 3)),
    ];
    const ready: (readonly string[] | undefined)[] = [];
    const listener = { event() {}, ready: (jobs?: ReadonlySet<string>) => void ready.push(jobs && [...jobs]) };
    stack.use(await openLog(reader, OWN, true, listener));
    const other = stack.use(await openLog(writer, OTHER, false));
    const notify = async (...jobs: readonly string[]) => {
      const query = other.notification(new Set(jobs));
      await writer.run(query, query.values);
    };
    const listens = async () => {
      await notify("first");
      return ready.length > 0;
    };
    await until(listens, "it listens");
    await notify("one", "two");
    await notify(); // Of tasks that have ended.
    other.unsure(); // A failed statement may have queued tasks of any job.
    await notify("one");
    await notify("one");
    const many = Array.from({ length: 100 }, (_, index) => `${index}`.padStart(100, "x"));
    await notify(...many);
    await until(() => ready.filter((jobs) => jobs === undefined).length === 2, "all have arrived");
    assertEquals(ready.filter((jobs) => jobs?.[0] !== "first"), [["one", "two"], undefined, ["one"], undefined]);
  },
);

testUnless(noPostgres, "a log that notifies others again and again keeps nothing of it", async () => {
  const url = await emptyTables();
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await Database.open(url, "mcp_jobs", 3));
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  stack.defer(() => listener.end());
  await listener.query("LISTEN mcp_jobs__mcp_jobs_");
  const log = stack.use(await openLog(database, OWN, false));
  // A promise keeps each of its reactions until it settles.
  const reactions = new Map<unknown, number>();
  const { then } = Promise.prototype;
  Promise.prototype.then = function (...reaction) {
    reactions.set(this, (reactions.get(this) ?? 0) + 1);
    return Reflect.apply(then, this, reaction);
  };
  stack.defer(() => void (Promise.prototype.then = then));
  for (let i = 0; i < 20; i++) {
    const notified = new Promise((resolve) => listener.once("notification", resolve));
    log.notifyLater();
    await notified;
  }
  Promise.prototype.then = then;
  assertEquals([...reactions.values()].filter((count) => count >= 20), []);
});
