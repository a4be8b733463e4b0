/**
 * New tasks that a worker claims with their creation, and the list of the tasks that it holds.
 *
 * @module
 */
import type { NewTask } from "../../../../backend.ts";
import { Committer } from "../../../../src/backends/kv/committer.ts";
import { workerKey } from "../../../../src/backends/kv/keys.ts";
import type { WorkerRecord } from "../../../../src/backends/kv/lease.ts";
import { Claims } from "../../../../src/backends/shared/claiming/claims.ts";
import { created, type TaskRecord } from "../../../../src/backends/shared/record.ts";
import { MAX_OWNER_LENGTH } from "../../../../src/ids.ts";
import { newWorker } from "../../../../src/operator/workers.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { OWNER, storeOf } from "../support/store.ts";
import { newTask } from "../../../support/tasks.ts";

interface Opened {
  readonly claims: Claims;
  readonly statusOf: (record: TaskRecord) => Promise<TaskInfo["status"]>;
  /** What is written, in order: the lists of held tasks, and the status of tasks. */
  readonly written: unknown[];
}

async function withClaims(
  use: (opened: Opened) => Promise<void>,
  jobs?: () => Promise<readonly string[]>,
): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = storeOf(kv, committer);
  const worker = newWorker(["job", "limited"]);
  const listener = { hold: () => lease.hold?.() ?? false, lose() {}, onError: ignored };
  const claims: Claims = new Claims(store, worker, listener, jobs, { limited: { concurrency: 1 } });
  const lease = store.lease(worker, () => claims.held);
  const written: unknown[] = [];
  const { commit } = committer;
  committer.commit = (write) => {
    for (const { key, value } of write.sets ?? []) {
      if (key.join() === workerKey(worker.name).join()) written.push((value as WorkerRecord).held.map(([_, id]) => id));
    }
    if (write.event) written.push([write.event.task.id, write.event.task.status]);
    return commit.call(committer, write);
  };
  const statusOf = async ({ info: { id, owner } }: TaskRecord) => {
    const entry = await store.read(id, owner);
    assert(entry);
    return entry.record.info.status;
  };
  await use({ claims, statusOf, written });
  await committer.drained();
}

function newRecord(own: Partial<NewTask> = {}): TaskRecord {
  const task = newTask({ owner: OWNER });
  return created({ ...task, ...own }, Date.now());
}

Deno.test("KV: new tasks are listed in the worker's lease, with one write, before they are claimed, so that its death loses none", () =>
  withClaims(async ({ claims, written }) => {
    const records = [newRecord(), newRecord()];
    await Promise.all(records.map((record) => claims.start(record, "{}")));
    const ids = records.map(({ info }) => info.id);
    assertEquals(written, [ids, ...ids.map((id) => [id, "RUNNING"])]);
    assertEquals(claims.held.map(({ id, status }) => [id, status]), ids.map((id) => [id, "RUNNING"]));
  }));

Deno.test("KV: a new task for which the worker's list has no room is queued, and the list stays as it is", () =>
  withClaims(async ({ claims, statusOf, written }) => {
    const longest = "ж".repeat(MAX_OWNER_LENGTH);
    const start = async (): Promise<TaskInfo["status"]> => {
      const record = newRecord({ owner: longest });
      await claims.start(record, "{}");
      return await statusOf(record);
    };
    while (await start() === "RUNNING");
    const held = claims.held.length;
    assert(held > 100 && held < 200, `It holds ${held} tasks.`);
    assertEquals(await start(), "PENDING");
    assertEquals(written.filter((one) => Array.isArray(one) && one.length === held).length, 1);
  }));

Deno.test("KV: a task that is delayed, or of a job with limits or of another worker, is never claimed with its creation", () =>
  withClaims(({ claims }) => {
    const may = [{}, { delay: 1 }, { job: "limited" }, { job: "another" }].map((own) =>
      claims.mayStart(newRecord(own))
    );
    assertEquals(may, [true, false, false, false]);
    return Promise.resolve();
  }));

Deno.test("KV: a task of a job that is known to be paused is queued at once", () =>
  withClaims(async ({ claims, written }) => {
    const record = newRecord();
    assertEquals(await claims.start(record, "{}"), true);
    assertEquals(written.at(-1), [record.info.id, "PENDING"]);
  }, () => Promise.resolve([])));

Deno.test("KV: claims have settled once new tasks are claimed, too", () =>
  withClaims(async ({ claims, written }) => {
    const record = newRecord();
    const start = claims.start(record, "{}");
    await claims.settled();
    assertEquals(written.at(-1), [record.info.id, "RUNNING"]);
    assertEquals(claims.held.map(({ status }) => status), ["RUNNING"]);
    await start;
  }));
