import { Database } from "../../../src/backends/postgres/connecting/database.ts";
import { EventLog } from "../../../src/backends/postgres/events.ts";
import { PostgresStore } from "../../../src/backends/postgres/store.ts";
import { Writer } from "../../../src/backends/postgres/writer.ts";
import { created, handedBack, settled } from "../../../src/backends/shared/record.ts";
import { newTaskId } from "../../../src/ids.ts";
import { newWorker } from "../../../src/operator/workers.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { ignored } from "../../support/errors.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { emptyTables } from "../../support/postgres.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";

interface Prepared {
  readonly name: string;
  readonly parameters: number;
}

testUnless(noPostgres, "PostgreSQL: what is prepared while the tables are empty never reads them whole", async () => {
  const url = await emptyTables();
  await using database = await Database.open(url, "mcp_jobs", 1); // One connection, which prepares every statement.
  const name = crypto.randomUUID();
  await using log = await EventLog.open(database, {
    writer: name,
    listens: false,
    listener: { event() {}, ready() {} },
    onError: ignored,
  });
  const store = new PostgresStore(database, new Writer(database, name, { written: () => new Set() }, log), 60_000);
  const worker = newWorker(["job"]);
  const [lease, queue] = [store.lease(worker, () => []), store.queue(worker)];
  await lease.renew();
  await lease.dead();
  const task = newTask();
  assert(await store.create(created(task, store.now()), "{}"));
  const keyed = { ...task, id: newTaskId() };
  assert(await store.writeKey("ann", "key", undefined, keyed.id));
  assert(await store.create(created(keyed, store.now()), "{}", { name: "key", names: "task" }));
  const unless = { name: "key", names: "nothing" } as const;
  assertEquals(await store.start(created({ ...task, id: newTaskId() }, store.now()), "{}", worker.name, unless), false);
  await queue.promote(false);
  const { entries: [claimed, other] } = await queue.ready(2, [], worker.jobs);
  assert(claimed && other);
  assert(await store.change(claimed, handedBack(claimed.record, false, [], store.now()).record));
  const { record, outcome } = settled(other.record, { kind: "value", value: 1 }, store.now(), 0);
  assert(await store.change(other, record, outcome));
  const limits = { concurrency: 2, rateLimit: { max: 2, per: 1_000 } };
  assertEquals((await queue.limited?.(1, [], "limited", limits))?.entries, []);
  assertEquals(await queue.waiting?.(["job", "limited"]), ["job"]);
  const entry = await store.read(task.id, task.owner);
  assert(entry);
  await Promise.all([store.input(entry), store.outcome(entry), store.list("ann", undefined, 1)]);
  const { operating } = store;
  await Promise.all([operating.counts(), operating.workers()]);
  for (const status of [undefined, "COMPLETED", "PENDING", "RUNNING", "FAILED"] as const) {
    for (const query of [{}, { job: "job" }, { owner: "ann" }]) await operating.page({ status, ...query }, 10);
  }
  for (const status of ["COMPLETED", "FAILED"] as const) await operating.purge({ status, before: 1 }, undefined);

  const prepared = () =>
    database.run<Prepared>({
      text: "SELECT name, cardinality(parameter_types) AS parameters FROM pg_prepared_statements WHERE name <> ''",
    });
  await until(async () => (await prepared()).some(({ name }) => name === "mcp_jobs_events"), "events are read");
  const statements = await prepared();
  const names = statements.map(({ name }) => name);
  for (const name of ["create", "start", "change", "change_all", "claim", "ready"]) {
    assert(names.includes(`mcp_jobs_${name}`), name);
  }
  for (const { name, parameters } of statements) {
    const values = parameters === 0 ? "" : `(${Array(parameters).fill("NULL").join()})`;
    const rows = await database.run<{ "QUERY PLAN": string }>({ text: `EXPLAIN EXECUTE ${name}${values}` });
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    assertEquals([name, plan.match(/.*(Seq Scan|Bitmap|Index Scan using \w+ on events[^\n]*\n\s*Filter).*/g)], [
      name,
      null,
    ]);
    if (name.startsWith("mcp_jobs_claim")) assert(plan.includes("Index Scan using queue_pkey"), plan);
  }
});
