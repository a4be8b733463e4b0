/**
 * How many statements it takes to learn how tasks have ended.
 *
 * @module
 */
import type { Backend } from "../../../../backend.ts";
import { createWorker, defineJob, PostgresBackend } from "../../../../mod.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { PostgresStore } from "../../../../src/backends/postgres/store.ts";
import { Writer } from "../../../../src/backends/postgres/writer.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { isFinished, type Outcome } from "../../../../src/task.ts";
import { noPostgres } from "../../../../tools/postgres_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { emptyTables } from "../../../support/postgres.ts";
import { newTask } from "../../../support/tasks.ts";
import { testUnless } from "../../../support/test_unless.ts";

/** A job that returns so many characters. */
const text = defineJob({
  name: "text",
  input: { type: "object" },
  run: ({ length }) => "x".repeat(Number(length)),
});

const OWNER = "ann";

/** Runs a task for each length, and resolves with their ids. */
async function runTasks(backend: Backend, lengths: readonly number[]): Promise<readonly string[]> {
  const left = new Map(lengths.map((length) => [newTaskId(), length]));
  const ids = [...left.keys()];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const stop = backend.watch((event) => {
    if (event.kind === "change" && isFinished(event.task) && left.delete(event.task.id) && left.size === 0) resolve();
  });
  await using _ = createWorker(backend, [text]);
  await Promise.all(
    [...left].map(([id, length]) => backend.create(newTask({ id, owner: OWNER, job: "text", input: { length } }))),
  );
  await ended;
  stop();
  return ids;
}

testUnless(
  noPostgres,
  "PostgreSQL: the process that ends a task emits how it has ended, unless that is large; others only that it has",
  async () => {
    const url = await emptyTables();
    await using here = await PostgresBackend.connect({ url });
    await using elsewhere = await PostgresBackend.connect({ url });
    const endsOf = (backend: Backend) => {
      const ends = new Map<string, Outcome | undefined>();
      const { promise, resolve } = Promise.withResolvers<void>();
      backend.watch((event) => {
        if (event.kind !== "change" || !isFinished(event.task)) return;
        if (ends.set(event.task.id, event.outcome).size === 2) resolve();
      });
      return { ends, both: promise };
    };
    const [near, far] = [endsOf(here), endsOf(elsewhere)];
    const ids = await runTasks(here, [2, 10_000]);
    await Promise.all([near.both, far.both]);
    assertEquals(ids.map((id) => near.ends.get(id)), [{ kind: "value", value: "xx" }, undefined]);
    assertEquals(ids.map((id) => far.ends.get(id)), [undefined, undefined]);
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: how tasks have ended is read with the tasks, in one statement for all, unless it is large",
  async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url });
    const ids = await runTasks(backend, [...Array.from({ length: 20 }, (_, length) => length), 10_000]);
    await using database = await Database.open(url, "mcp_jobs", 1);
    const writer = new Writer(database, crypto.randomUUID(), { written: () => new Set() }, {
      notification: () => ({ text: "" }),
      notifyLater: () => {},
      unsure: () => {},
    });
    const statements: unknown[] = [];
    const { run } = database;
    const counted: typeof run = (query, values, next) => {
      statements.push(query.name);
      return run(query, values, next);
    };
    Object.assign(database, { run: counted });
    const store = new PostgresStore(database, writer, 60_000);
    const outcomes = await Promise.all(ids.map(async (id) => {
      const entry = await store.read(id, OWNER);
      return entry && await store.outcome(entry);
    }));
    assertEquals(
      outcomes.map((outcome) => outcome?.kind === "value" && String(outcome.value).length),
      [...Array.from({ length: 20 }, (_, length) => length), 10_000],
    );
    assertEquals(statements, ["mcp_jobs_read", "mcp_jobs_outcome"]);
  },
);
