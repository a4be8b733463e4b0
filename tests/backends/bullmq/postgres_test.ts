import type { PgModule, PgPool } from "bullmq";
import pg from "pg";
import { BackendError, BullMqBackend, createWorker, defineJob, type JobContext } from "../../../mod.ts";
import { inTime } from "../../../src/backends/bullmq/deadline.ts";
import { newSnapshot } from "../../../src/backends/bullmq/new_task.ts";
import { makePool } from "../../../src/backends/bullmq/postgres/connection.ts";
import { PostgresStore } from "../../../src/backends/bullmq/postgres/store.ts";
import { PatientPool } from "../../../src/backends/bullmq/postgres/workers.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { newTaskId } from "../../../src/ids.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { noPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { startDoomedWorker } from "../support/doomed_worker.ts";

/** Short, so that a dead worker is soon known as dead. */
const LEASE = 900;

if (noPostgres === undefined) {
  // One server for all cases; each has a database of its own.
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.end());
  const migrated = await server.makeDatabase();
  await BullMqBackend.migrate({ postgres: migrated });

  exerciseBackend("bullmq on PostgreSQL", async (): Promise<BackendHarness> => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    const connect = () => BullMqBackend.connect({ postgres, lease: LEASE });
    const backend = await connect();
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ postgres, lease: LEASE }, job)),
      close: async () => {
        await backend.close();
        await server.dropDatabase(postgres);
      },
    };
  });

  Deno.test("bullmq on PostgreSQL: a result whose connection breaks on its way is no failure of its task", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    await using backend = await BullMqBackend.connect({ postgres, lease: LEASE });
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<string>();
    const run = () => {
      started.resolve();
      return gate.promise;
    };
    const job = defineJob({ name: "once", input: { type: "object" }, run });
    await using _worker = createWorker(backend, [job]);
    const [id, owner] = [newTaskId(), "owner"];
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "once", owner, input: {}, resultTtl: 60_000, retry });
    using feed = new TaskFeed(backend);
    const end = feed.wait(id, owner, AbortSignal.timeout(30_000));
    await started.promise;

    const client = new pg.Client({ connectionString: postgres });
    await client.connect();
    await client.query("BEGIN");
    await client.query("SELECT FROM bullmq.job WHERE id = $1 FOR UPDATE", [id]);
    gate.resolve("done");
    await until(async () => {
      await client.query("SELECT pg_stat_clear_snapshot()");
      const { rowCount } = await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%finished%'`);
      return Number(rowCount) > 0;
    }, "the result waits for the job's row");
    await client.end();
    assertEquals([(await end).status, await backend.outcome(id, owner)], ["COMPLETED", {
      kind: "value",
      value: "done",
    }]);
  });

  Deno.test("bullmq on PostgreSQL: a task is looked up, though its tables be so small that to read them whole is cheaper", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    await using backend = await BullMqBackend.connect({ postgres, lease: LEASE });
    const id = newTaskId();
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "idle", owner: "owner", input: {}, resultTtl: 60_000, retry });
    const client = new pg.Client({ connectionString: postgres });
    await client.connect();
    await client.query("ANALYZE");
    // A function keeps its plans while its tables grow: by the sixth call they are made for any arguments.
    await client.query("BEGIN");
    for (let call = 0; call < 6; call++) {
      const { rowCount } = await client.query("SELECT bullmq.mcp_jobs_read($1, $2, 0)", [[id], ["owner"]]);
      assertEquals(rowCount, 1);
    }
    const { rows } = await client.query(`SELECT relname, seq_scan::integer FROM pg_stat_xact_user_tables
      WHERE relname IN ('job', 'mcp_jobs_task') ORDER BY relname`);
    await client.end();
    assertEquals(rows, [{ relname: "job", seq_scan: 0 }, { relname: "mcp_jobs_task", seq_scan: 0 }]);
  });

  Deno.test("bullmq on PostgreSQL: a plain worker's failed run of a cancelled task is its last, and what it holds is not deleted", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    await using backend = await BullMqBackend.connect({ postgres, lease: LEASE });
    const store = await PostgresStore.open(postgres);
    const workers = store.workers();
    const [started, gate, over] = [1, 2, 3].map(() => Promise.withResolvers<void>());
    let runs = 0;
    const worker = workers.start("plain", async () => {
      runs++;
      started?.resolve();
      await gate?.promise;
      throw new Error("It does not work.");
    }, { concurrency: 1, lockDuration: 5_000, stalledInterval: 2_000 });
    worker.on("failed", (_, error) => error.message === "The task was cancelled." && over?.resolve());
    const [id, owner] = [newTaskId(), "owner"];
    const retry = { attempts: 3, delay: 1, maxDelay: 1 };
    await backend.create({ id, job: "plain", owner, input: {}, resultTtl: 60_000, retry });
    await started?.promise;
    const end = await backend.cancel(id, owner, 50);
    const expire = async () => {
      const snapshot = await store.records.read(id);
      return snapshot && await store.records.expire(snapshot);
    };
    assertEquals([end.status, await expire()], ["CANCELLED", false]);
    gate?.resolve();
    await over?.promise;
    assertEquals([runs, await backend.get(id, owner)], [1, end]);
    assertEquals([await expire(), await (await store.queue("plain")).getJob(id)], [true, undefined]);
    await workers.close();
    await store.close();
  });

  Deno.test("bullmq on PostgreSQL: a cancelled task that a plain worker takes before its job is removed does not run", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    await using backend = await BullMqBackend.connect({ postgres, lease: LEASE });
    const store = await PostgresStore.open(postgres);
    const workers = store.workers();
    const open = store.queue.bind(store);
    const over = Promise.withResolvers<string>();
    const [id, owner] = [newTaskId(), "owner"];
    const retry = { attempts: 1, delay: 1, maxDelay: 1 };
    await backend.create({ id, job: "plain", owner, input: {}, resultTtl: 60_000, retry });
    let runs = 0;
    store.queue = async (name) => {
      const settings = { concurrency: 1, lockDuration: 5_000, stalledInterval: 2_000 };
      const worker = workers.start("plain", () => Promise.resolve(runs++), settings);
      worker.on("failed", (_, { message }) => over.resolve(message)).on("completed", () => over.resolve("It ran."));
      await over.promise;
      return await open(name);
    };
    assertEquals(await store.records.cancel(id, "ask"), "cancelled");
    assertEquals([runs, await over.promise], [0, "The task was cancelled."]);
    assertEquals((await backend.get(id, owner)).status, "CANCELLED");
    await workers.close();
    await store.close();
  });

  Deno.test("bullmq on PostgreSQL: what is asked of a store that was closed is refused, so that nobody waits for it in vain", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    const store = await PostgresStore.open(postgres);
    await store.queue("idle");
    await new Promise((resolve) => setTimeout(resolve, 1)); // BullMQ says with a timer of its own that it is ready.
    await store.close();
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    const task = { id: newTaskId(), job: "idle", owner: "owner", input: {}, resultTtl: 1, retry };
    const expired = store.records.expire(newSnapshot(task, "idle", 1));
    await assertRejects(() => inTime(expired, "it hangs", 5_000), Error, "pool");
  });

  Deno.test("bullmq on PostgreSQL: a connection that is lost while it is used harms nobody but its user", async () => {
    const { pool } = makePool(pg as unknown as PgModule, await server.makeDatabase(), 1);
    const client = await pool.connect();
    const lost = new Promise((resolve) => client.on("end", () => resolve("lost")));
    await assertRejects(() => client.query("SELECT pg_terminate_backend(pg_backend_pid())"), Error);
    assertEquals(await lost, "lost");
    client.release(true);
    await pool.end();
  });

  Deno.test("bullmq on PostgreSQL: a migration whose connection is lost is an error, and ends nothing else", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    const client = new pg.Client({ connectionString: postgres });
    await client.connect();
    await client.query("BEGIN");
    await client.query("LOCK TABLE bullmq.migration IN ACCESS EXCLUSIVE MODE");
    const refused = assertRejects(() => BullMqBackend.migrate({ postgres }), BackendError, "Cannot migrate");
    await until(async () => {
      await client.query("SELECT pg_stat_clear_snapshot()");
      const { rowCount } = await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()`);
      return Number(rowCount) > 0;
    }, "the migration waits for its table");
    await refused;
    await client.end();
  });

  Deno.test("bullmq on PostgreSQL: a worker tries again what PostgreSQL rolled back to end a deadlock, and nothing that it refused", async () => {
    const answers = ["40P01", "40001", "23505"].map((code) => Object.assign(new Error(`It says ${code}.`), { code }));
    const pool = { query: () => Promise.reject(answers.shift()) };
    const patient = new PatientPool(pool as unknown as PgPool);
    await assertRejects(() => patient.query("SELECT"), Error, "It says 23505.");
    assertEquals(answers, []);
  });

  Deno.test("bullmq on PostgreSQL: events that were dropped before they were read are told as a gap, others are not", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    const store = await PostgresStore.open(postgres);
    await new Promise<void>((resolve) => store.onBack(resolve));
    const client = new pg.Client({ connectionString: postgres, options: "-c search_path=bullmq" });
    await client.connect();
    await client.query("INSERT INTO meta VALUES ('busy', 'opts.maxLenEvents', '600')");
    const heard = new Set<string>();
    const waiting = new Map<string, () => void>();
    let missed = 0;
    const hear = (id: string) => {
      heard.add(id);
      waiting.get(id)?.();
    };
    const until = (id: string) => new Promise<void>((resolve) => heard.has(id) ? resolve() : waiting.set(id, resolve));
    const add = (count: number, name: string, queue = "busy") =>
      client.query(
        `SELECT publish_event($3, 'active', jsonb_build_object('jobId', $2::text || i)) FROM generate_series(1, $1) i`,
        [count, name, queue],
      );
    const following = await store.follow("busy", hear, () => missed++);
    await add(1, "first");
    await until("first1");
    missed = 0; // What was notified before it listened was told as a gap.
    await add(300, "some");
    await until("some300");
    assertEquals([missed, heard.has("some1")], [0, true]);
    await client.query("BEGIN");
    await add(1, "lost");
    await add(2_000, "other", "elsewhere"); // Numbers are shared by all queues.
    await add(300, "many");
    await client.query("COMMIT");
    await until("many300");
    await add(1, "last");
    await until("last1");
    assertEquals([missed, heard.has("lost1")], [1, false]);
    await following.close();
    await client.end();
    await store.close();
  });

  Deno.test("bullmq on PostgreSQL: a question and an answer may hold characters that PostgreSQL cannot", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    await using backend = await BullMqBackend.connect({ postgres, lease: LEASE });
    const run = async (_: unknown, ctx: JobContext) => {
      const answer = await ctx.elicit({ message: "NUL \0 and half \ud800 a character?", schema: { type: "object" } });
      return JSON.stringify(answer);
    };
    await using _worker = createWorker(backend, [defineJob({ name: "asks", input: { type: "object" }, run })]);
    const [id, owner] = [newTaskId(), "owner"];
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "asks", owner, input: {}, resultTtl: 60_000, retry });
    using feed = new TaskFeed(backend);
    const asked: string[] = [];
    const answered: Promise<unknown>[] = [];
    await feed.wait(id, owner, AbortSignal.timeout(30_000), (task) => {
      const [question] = "questions" in task ? task.questions ?? [] : [];
      if (question === undefined) return;
      asked.push(question.message);
      const answer = { action: "accept", content: { said: "NUL \0 too" } } as const;
      answered.push(backend.answer(id, owner, { [question.key]: answer }));
    });
    await Promise.all(answered);
    assertEquals(asked, ["NUL \ufffd and half \ufffd a character?"]);
    const value = JSON.stringify({ action: "accept", content: { said: "NUL \ufffd too" } });
    assertEquals(await backend.outcome(id, owner), { kind: "value", value });
  });

  Deno.test("bullmq on PostgreSQL: events are heard after their numbers have gone back, as in a failover", async () => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    const client = new pg.Client({ connectionString: postgres });
    await client.connect();
    await client.query("SELECT setval('bullmq.event_seq', 5000000)");
    await using front = await BullMqBackend.connect({ postgres, lease: LEASE });
    await using host = await BullMqBackend.connect({ postgres, lease: LEASE });
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    const create = async (backend: BullMqBackend) => {
      const task = { id: newTaskId(), job: "later", owner: "owner", input: {}, resultTtl: 60_000, retry };
      return (await backend.create(task)).id;
    };
    const heard = new Set<string>();
    let gaps = 0;
    const stop = front.watch((event) => {
      if (event.kind === "gap") gaps++;
      else heard.add(`${event.task.id} ${event.task.status}`);
    });
    await create(front);
    const before = await create(host);
    await until(() => Promise.resolve(heard.has(`${before} PENDING`)), "an event has been read");

    await client.query("DELETE FROM bullmq.event");
    await client.query("SELECT setval('bullmq.event_seq', 1)");
    gaps = 0;
    await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    await client.end();
    await until(() => Promise.resolve(gaps > 0), "the front has found its connection lost");
    await until(() => host.hasWorker("later").then(() => true, () => false), "the host is connected again");
    const after = await create(host);
    await until(() => Promise.resolve(heard.has(`${after} PENDING`)), "an event with a smaller number has been read");
    stop();
  });

  Deno.test("bullmq on PostgreSQL: a database that was not migrated is refused, with the way to do it", async () => {
    const postgres = await server.makeDatabase();
    await assertRejects(() => BullMqBackend.connect({ postgres }), BackendError, "BullMqBackend.migrate");
    await BullMqBackend.migrate({ postgres });
    await BullMqBackend.migrate({ postgres });
    await using _backend = await BullMqBackend.connect({ postgres });
  });
} else {
  Deno.test({ name: `bullmq on PostgreSQL (left out: ${noPostgres})`, ignore: true, fn: () => {} });
}
