import { BackendError, createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { noOwnPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { Network } from "../support/network.ts";
import { newTask } from "../../support/tasks.ts";

const OWNER = "owner";

/** Only a test that fails waits as long. */
const patience = () => AbortSignal.timeout(60_000);

/** Calls until it succeeds: after a failover, and on a busy machine, a call may get no connection in time. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  const result = Promise.withResolvers<T>();
  const succeeds = () =>
    call().then((value) => {
      result.resolve(value);
      return true;
    }, (error) => {
      if (error instanceof BackendError) return false;
      throw error;
    });
  await until(succeeds, "a call succeeds again");
  return await result.promise;
}

/** A PostgreSQL, its replica, and the network before them. */
interface Place {
  readonly first: PostgresServer;
  readonly second: PostgresServer;
  readonly network: Network;
}

function test(name: string, leave: (place: Place) => Promise<unknown>): void {
  testUnless(noOwnPostgres, name, async () => {
    await using first = await PostgresServer.startOwn();
    await PostgresBackend.migrate(first);
    await using second = await first.startReplica();
    await using network = new Network(first.url);
    await using backend = await PostgresBackend.connect({ url: network.url, lease: 900 });
    await using other = await PostgresBackend.connect({ url: network.url, lease: 900 });
    using feed = new TaskFeed(other);
    const create = (job: string) => {
      return backend.create(newTask({ job, owner: OWNER }));
    };
    const endOf = async (id: string) => (await again(() => feed.wait(id, OWNER, patience()))).status;
    const gone = Promise.withResolvers<void>();
    const long = defineJob({ name: "long", input: { type: "object" }, run: () => gone.promise });
    const short = defineJob({ name: "short", input: { type: "object" }, run: () => "done" });
    await using worker = createWorker(backend, [long, short], { concurrency: 4 });
    await worker.ready;
    const [before, running] = [await create("short"), await create("long")];
    assertEquals(await endOf(before.id), "COMPLETED");
    await until(async () => (await other.get(running.id, OWNER)).status === "RUNNING", "it runs");
    const [now] = await first.query<{ lsn: string }>("SELECT pg_current_wal_lsn() AS lsn");
    const reached = `SELECT WHERE pg_last_wal_replay_lsn() >= '${now?.lsn}'`;
    await until(async () => (await second.query(reached)).length > 0, "the replica knows it all");

    await leave({ first, second, network });
    await second.promote();
    network.leadTo(second.url);
    gone.resolve();
    // Also those that only read or listen.
    const left = "SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    await until(() => first.query(left).then((rows) => rows.length === 0, () => true), "nobody is left at the old one");
    assertEquals(await endOf((await again(() => create("short"))).id), "COMPLETED");
    assertEquals(await endOf(running.id), "COMPLETED");
    assertEquals((await again(() => other.get(before.id, OWNER))).status, "COMPLETED");
  });
}

test("PostgreSQL: after the primary has died, all work continues on the promoted replica", ({ first }) => first.kill());

test("PostgreSQL: after a failover that keeps the old connections open, all work continues on the new primary", async ({ first }) => {
  await first.query("ALTER SYSTEM SET default_transaction_read_only = on");
  await first.query("SELECT pg_reload_conf()");
});
