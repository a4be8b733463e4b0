import pg from "pg";
import { BackendError, createWorker, defineJob, PostgresBackend } from "../../../../mod.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { pause } from "../../../../src/waiting.ts";
import { noOwnPostgres, noPostgres } from "../../../../tools/postgres_server.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { emptyTables, ownPostgres, sharedPostgres } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { Network } from "../../support/network.ts";
import { newTask } from "../../../support/tasks.ts";

const IDLE = "SELECT 1 FROM pg_settings WHERE name = 'idle_session_timeout'";
const tooOld = noPostgres ??
  ((await sharedPostgres().query(IDLE)).length === 0 ? "use PostgreSQL 14 or later" : undefined);

/** The connections that listen run nothing else but notifications, and ask whether the server is still there. */
const LISTENING =
  "SELECT pid FROM pg_stat_activity WHERE query SIMILAR TO '(LISTEN|%transaction_read_only|%pg_notify)%' " +
  "AND datname = current_database() AND pid <> pg_backend_pid()";

/** One connection to look on: each costs the server a process. */
async function open(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    /** The processes of the connections that listen. */
    listening: async (): Promise<readonly number[]> => {
      const { rows } = await client.query(LISTENING);
      return rows.map(({ pid }: { readonly pid: number }) => pid);
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

testUnless(
  noPostgres,
  "PostgreSQL: a connection that only listens is replaced when the network goes silent",
  async () => {
    const url = await emptyTables();
    await using network = new Network(url);
    await using _backend = await PostgresBackend.connect({ url: network.url });
    await using probe = await open(url);
    const listening = async () => (await probe.listening()).length;
    await until(async () => await listening() === 1, "it listens");
    network.cut();
    await until(async () => await listening() === 2, "another connection listens"); // The server keeps the first one.
  },
);

testUnless(tooOld, "PostgreSQL: a server that closes idle connections disturbs nobody", async () => {
  const url = await sharedPostgres().makeDatabase();
  await PostgresBackend.migrate({ url });
  await using probe = await open(url); // What the database is told concerns later connections.
  await sharedPostgres().query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET idle_session_timeout = 300`);
  await using front = await PostgresBackend.connect({ url });
  await using host = await PostgresBackend.connect({ url });
  await using worker = createWorker(host, [defineJob({ name: "short", input: { type: "object" }, run: () => "done" })]);
  await worker.ready;
  using feed = new TaskFeed(front);
  for (let round = 0; round < 3; round++) {
    const before = await probe.listening();
    await until(async () => !(await probe.listening()).some((pid) => before.includes(pid)), "they were closed");
    const task = newTask({ job: "short" });
    const { id } = await front.create(task);
    assertEquals((await feed.wait(id, "ann", AbortSignal.timeout(60_000))).status, "COMPLETED");
  }
});

/** What a server sends that lets a client in, and ends its connection at once, as it does when it is shut down. */
const IN_AND_OUT = [
  "R\0\0\0\x08\0\0\0\0", // AuthenticationOk
  "Z\0\0\0\x05I", // ReadyForQuery
  "E\0\0\0\x22SFATAL\0C57P01\0Mshutting down\0\0", // ErrorResponse
].join("");

testUnless(
  noPostgres,
  "PostgreSQL: a connection that ends as it becomes ready harms nobody, and its statement runs on another one",
  async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = new URL(sharedPostgres().url);
    const port = Number(url.port);
    url.port = String(listener.addr.port);
    const serve = async () => {
      const short = await listener.accept();
      await short.read(new Uint8Array(1_024));
      // All at once, as a process reads it that had no time to read the first message before.
      await short.write(new TextEncoder().encode(IN_AND_OUT));
      short.close();
      const near = await listener.accept();
      const far = await Deno.connect({ hostname: "127.0.0.1", port });
      await Promise.allSettled([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
    };
    const served = serve();
    {
      await using database = await Database.open(url.href, "mcp_jobs", 1);
      assertEquals(await database.run({ text: "SELECT 1 AS one" }), [{ one: 1 }]);
    }
    await served;
  },
);

Deno.test(
  "PostgreSQL: a server that lets clients in and ends every connection at once makes connecting fail",
  async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let served = 0;
    const serve = async () => {
      for await (const connection of listener) {
        // A driver that never gives up is stopped, so that the test ends.
        if (++served > 50) return connection.close();
        await connection.read(new Uint8Array(1_024));
        await connection.write(new TextEncoder().encode(IN_AND_OUT));
        connection.close();
      }
    };
    const serving = serve();
    const url = `postgres://ann@127.0.0.1:${listener.addr.port}/jobs`;
    await assertRejects(
      () => Database.open(url, "mcp_jobs", 1),
      BackendError,
      "is not queryable. Check that a PostgreSQL runs",
    );
    assertEquals(served, 2);
    listener.close();
    await serving;
  },
);

/** What a server sends that lets a client in, and what it sends as it closes an idle connection. */
const IN = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const IDLE_TOO_LONG = "E\0\0\0\x19SFATAL\0C57P05\0Midle\0\0";

Deno.test(
  "PostgreSQL: a statement that finds each connection closed for being idle is not repeated without end",
  async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    // A statement that is repeated without end is stopped, so that the test ends.
    const stop = setTimeout(() => listener.close(), 30_000);
    const text = new TextEncoder();
    const serve = async () => {
      for await (const connection of listener) {
        const [read, write] = [
          () => connection.read(new Uint8Array(1_024)),
          (part: string) => connection.write(text.encode(part)),
        ];
        await read();
        await write(IN);
        await read();
        await write(IDLE_TOO_LONG);
        connection.close();
      }
    };
    const serving = serve().catch(() => {}); // The listener was closed.
    await assertRejects(
      () => Database.open(`postgres://ann@127.0.0.1:${port}/jobs`, "mcp_jobs", 1),
      BackendError,
      ": idle",
    );
    clearTimeout(stop);
    listener.close();
    await serving;
  },
);

testUnless(
  noOwnPostgres,
  "PostgreSQL: a slow answer is waited for, and a server that says nothing is given up",
  async () => {
    const server = ownPostgres;
    assert(server);
    await using database = await Database.open(server.url, "mcp_jobs", 3);
    const { run } = database;
    // Longer than it takes to find out whether the server is there.
    assertEquals(await run({ text: "SELECT 1 AS one FROM pg_sleep(2.5)" }), [{ one: 1 }]);
    await Promise.all([run({ text: "SELECT 1" }), run({ text: "SELECT 1" })]);
    await server.signal("SIGSTOP");
    try {
      // Not the query's own time limit, which is much longer.
      const calls = [1, 2].map(() => assertRejects(() => run({ text: "SELECT 1" }), BackendError, "terminated"));
      await Promise.all(calls);
    } finally {
      await server.signal("SIGCONT");
    }
    assertEquals(await run({ text: "SELECT 1 AS one" }), [{ one: 1 }]);
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: a server that is given up and then answers again keeps what has begun since",
  async () => {
    await using network = new Network(sharedPostgres().url);
    await using database = await Database.open(network.url, "mcp_jobs", 3);
    await using other = await Database.open(sharedPostgres().url, "mcp_jobs", 1);
    const lock = Math.trunc(Math.random() * 2 ** 31); // Others may use the server, too.
    await other.run({ text: `SELECT pg_advisory_lock(${lock})` });
    network.cut({ silent: true });
    const silent = assertRejects(() => database.run({ text: "SELECT 1" }), BackendError, "terminated");
    await until(() => network.made === 2, "it looks whether the server is there");
    network.mend();
    const begun = database.run({ text: `SELECT pg_advisory_lock(${lock})` });
    await until(() => network.made === 3, "another connection is opened");
    await silent;
    await other.run({ text: `SELECT pg_advisory_unlock(${lock})` });
    await begun; // Not cut off with the one that was silent.
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: the error of a statement that waits for a lock too long says what to look at",
  async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query("BEGIN; LOCK TABLE mcp_jobs.tasks");
      const task = newTask();
      const advice = "or another session holds a lock: see pg_stat_activity";
      await assertRejects(() => backend.create(task), BackendError, advice);
    } finally {
      await client.end();
    }
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: the error of a statement that gets no connection in time says what to look at",
  async () => {
    const database = await Database.open(sharedPostgres().url, "mcp_jobs", 1);
    const blocking = assertRejects(() => database.run({ text: "SELECT pg_sleep(60)" }), BackendError);
    const advice = "timeout exceeded when trying to connect. The server is overloaded or cannot be reached";
    await assertRejects(() => database.run({ text: "SELECT 1" }), BackendError, advice);
    await database[Symbol.asyncDispose](); // Ends it.
    await blocking;
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: what waits for a connection when all are closed has ended once they are closed",
  async () => {
    const { url } = sharedPostgres();
    const database = await Database.open(url, "mcp_jobs", 1);
    const ends: string[] = [];
    const calls = ["SELECT pg_sleep(60)", "SELECT 1"].map((text) =>
      assertRejects(() => database.run({ text }), BackendError).then(() => ends.push(text))
    );
    await database[Symbol.asyncDispose]();
    await pause(0); // Whoever has called gets the error.
    assertEquals(ends.length, 2);
    await Promise.all(calls);
  },
);
