import pg from "pg";
import type { Backend } from "../../../backend.ts";
import { PostgresBackend, type TaskInfo } from "../../../mod.ts";
import { textArray } from "../../../src/backends/postgres/tables/rows_in.ts";
import { Writer } from "../../../src/backends/postgres/writer.ts";
import { created } from "../../../src/backends/shared/record.ts";
import { BackendError, TaskFinished } from "../../../src/errors.ts";
import { newTaskId } from "../../../src/ids.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { emptyTables, sharedPostgres } from "../../support/postgres.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";

testUnless(
  noPostgres,
  "processes that change the same tasks in different orders do not wait for each other",
  async () => {
    const url = await emptyTables();
    await using one = await PostgresBackend.connect({ url });
    await using other = await PostgresBackend.connect({ url });
    for (let round = 0; round < 10; round++) {
      const ids = Array.from({ length: 80 }, () => newTaskId());
      await Promise.all(ids.map((id) => one.create(newTask({ id, job: "waits" }))));
      // One of the two is too late for each task; a deadlock would be a `BackendError`.
      const cancel = async (backend: Backend, order: readonly string[]) => {
        const ends = await Promise.allSettled(order.map((id) => backend.cancel(id, "ann", 0)));
        return ends.map((end) =>
          end.status === "fulfilled" ? "cancelled" : end.reason instanceof TaskFinished || end.reason
        );
      };
      const ends = (await Promise.all([cancel(one, ids), cancel(other, ids.toReversed())])).flat();
      assertEquals(ends.filter((end) => end === "cancelled").length, ids.length);
      assertEquals(ends.filter((end) => end === true).length, ids.length);
    }
  },
);

Deno.test("a write that has failed is announced as one that may have been made", async () => {
  const announced: unknown[] = [];
  const log = {
    notification: (jobs: ReadonlySet<string>) => {
      announced.push(["with the write", ...jobs]);
      return { text: "" };
    },
    notifyLater: () => void announced.push("later"),
    unsure: () => void announced.push("perhaps made"),
  };
  const database = { schema: "mcp_jobs", run: () => Promise.reject(new BackendError("PostgreSQL is away.")) };
  const writer = new Writer(database, crypto.randomUUID(), { written: () => new Set() }, log);
  const task = newTask({ job: "waits" });
  await assertRejects(() => writer.create({ record: created(task, Date.now()), input: "{}" }), BackendError, "away");
  assertEquals(announced, [["with the write", "waits"], "perhaps made"]);
});

Deno.test("the notification of tasks that are claimed with their creation can wait, that of others goes with the write", async () => {
  const announced: unknown[] = [];
  const log = {
    notification: () => {
      announced.push("with the write");
      return { text: "" };
    },
    notifyLater: () => void announced.push("later"),
    unsure: () => {},
  };
  const task = newTask({ job: "waits" });
  const row = { record: created(task, Date.now()), input: "{}" };
  const run = <Row>() => Promise.resolve([{ ids: task.id, at: row.record.info.createdAt }] as Row[]);
  const written = (tasks: readonly TaskInfo[]) => {
    announced.push(...tasks.map(({ status }) => status));
    return new Set<string>();
  };
  const writer = new Writer({ schema: "mcp_jobs", run }, crypto.randomUUID(), { written }, log);
  await writer.create(row);
  await writer.start({ ...row, worker: crypto.randomUUID() });
  assertEquals(announced, ["with the write", "PENDING", "RUNNING", "later"]);
});

Deno.test("a start that claims nothing notifies nobody", async () => {
  const announced: unknown[] = [];
  const log = {
    notification: () => ({ text: "" }),
    notifyLater: () => void announced.push("later"),
    unsure: () => {},
  };
  const run = <Row>() => Promise.resolve([{ ids: null }] as Row[]);
  const written = () => {
    announced.push("written");
    return new Set<string>();
  };
  const writer = new Writer({ schema: "mcp_jobs", run }, crypto.randomUUID(), { written }, log);
  const row = { record: created(newTask({ job: "waits" }), Date.now()), input: "{}", worker: crypto.randomUUID() };
  assertEquals([await writer.start(row), announced], [undefined, []]);
});

testUnless(noPostgres, "an array of texts arrives as it was sent", async () => {
  const texts = ["", "NULL", '{"a":"\\"é💥\\\\"}', null, ",{}", "x".repeat(100_000)];
  const client = new pg.Client({ connectionString: sharedPostgres().url });
  await client.connect();
  const { rows } = await client.query("SELECT text FROM unnest($1::text[]) AS text", [
    textArray(texts),
  ]);
  await client.end();
  assertEquals(rows.map(({ text }: { text: string | null }) => text), texts);
});
