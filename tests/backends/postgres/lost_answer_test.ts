import pg from "pg";
import { type Backend, type NewTask, newTaskId } from "../../../backend.ts";
import { createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import { MAX_HAND_BACKS } from "../../../src/backends/shared/record.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { emptyTables } from "../../support/postgres.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { ignored } from "../../support/errors.ts";
import { LossyNetwork } from "../support/lossy_network.ts";

const input = { type: "object" };

/** Only a test that fails waits as long. */
const patience = () => AbortSignal.timeout(60_000);

function create(backend: Backend, options: { readonly delay?: number; readonly key?: string } = {}) {
  const { delay, key } = options;
  return backend.create({ ...newTask(), delay, ...(key && { key: { name: key, window: 60_000 } }) });
}

function newTask(): NewTask {
  const retry = { attempts: 2, delay: 10, maxDelay: 10 };
  return { id: newTaskId(), job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry };
}

testUnless(
  noPostgres,
  "a claim whose answer is lost takes neither an attempt nor a hand-back from its task",
  async () => {
    const claimed = (request: string, answer: string) =>
      request.includes("mcp_jobs_claim") && answer.includes("PENDING");
    await using network = new LossyNetwork(await emptyTables(), MAX_HAND_BACKS + 2, claimed);
    await using backend = await PostgresBackend.connect({ url: network.url, lease: 300 });
    const attempts: number[] = [];
    const run = (_: unknown, { attempt }: { readonly attempt: number }) => void attempts.push(attempt);
    await using _worker = createWorker(backend, [defineJob({ name: "job", input, run })]);
    using feed = new TaskFeed(backend);
    const { id } = await create(backend);
    const { status, attempt } = await feed.wait(id, "ann", patience());
    assertEquals([network.left, attempts, status, attempt], [0, [1], "COMPLETED", 1]);
  },
);

const WAYS = [
  { name: "plain", how: () => ({}), statement: "mcp_jobs_start" },
  { name: "with a key", how: () => ({ key: crypto.randomUUID() }), statement: "mcp_jobs_start" },
  { name: "delayed", how: () => ({ delay: 10 }), statement: "mcp_jobs_create" },
];

for (const { name, how, statement } of WAYS) {
  testUnless(
    noPostgres,
    `a creation whose answer is lost is made once, and its task runs at once: ${name}`,
    async () => {
      const created = (request: string) => request.includes(statement);
      await using network = new LossyNetwork(await emptyTables(), 1, created);
      await using backend = await PostgresBackend.connect({ url: network.url, lease: 600_000, onError: ignored });
      const run = (_: unknown, { id }: { readonly id: string }) => id;
      await using worker = createWorker(backend, [defineJob({ name: "job", input, run })]);
      await worker.ready;
      using feed = new TaskFeed(backend);
      const ids: string[] = [];
      // A worker that may have more to do does not begin a task with its creation.
      while (network.left > 0) {
        const { id } = await create(backend, how());
        ids.unshift(id);
        assertEquals((await feed.wait(id, "ann", patience())).status, "COMPLETED");
      }
      const { tasks } = await backend.list("ann", { limit: ids.length + 1 });
      assertEquals(tasks.map((task) => task.id), ids);
    },
  );
}

testUnless(
  noPostgres,
  "a creation with `unless` whose connection breaks while it is carried out is made once, also if the key gets a text then",
  async () => {
    const url = await emptyTables();
    await using network = new LossyNetwork(url, 0, () => false);
    await using backend = await PostgresBackend.connect({ url: network.url, onError: ignored });
    await using other = await PostgresBackend.connect({ url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const waiting = `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`;
    const untilWaiting = (statements: number) =>
      until(async () => (await client.query(waiting)).rows.length === statements, `${statements} statements wait`);
    const id = newTaskId();
    // A task of the same id that is not committed: the creation has read the key, and waits for what becomes of that task.
    await client.query("BEGIN");
    await client.query(
      `INSERT INTO mcp_jobs.tasks (id, owner, job, version, state, record, input)
        VALUES ($1, '', '', 1, '', '', '')`,
      [id],
    );
    const created = backend.create({ ...newTask(), id, unless: "list" });
    await untilWaiting(1);
    assertEquals(await other.keys.writeKey("ann", "list", undefined, "a text"), true);
    network.cut();
    await Promise.race([created, untilWaiting(2)]);
    await client.query("ROLLBACK");
    assertEquals([(await created).id, (await other.get(id, "ann")).status], [id, "PENDING"]);
    await client.end();
  },
);

testUnless(noPostgres, "an attempt of which only the answer to its failure is lost is tried again, once", async () => {
  const failed = (request: string) => request.includes('"status":"RETRYING"');
  await using network = new LossyNetwork(await emptyTables(), 1, failed);
  await using backend = await PostgresBackend.connect({ url: network.url, onError: ignored });
  const attempts: number[] = [];
  const run = (_: unknown, { attempt }: { readonly attempt: number }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("Not yet.");
  };
  await using _worker = createWorker(backend, [defineJob({ name: "job", input, run })], {
    onError: ignored,
  });
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { status } = await feed.wait(id, "ann", patience());
  assertEquals([network.left, attempts, status], [0, [1, 2], "COMPLETED"]);
});
