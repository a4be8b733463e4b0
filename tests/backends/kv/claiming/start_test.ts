/**
 * New tasks that a worker claims with their creation, and the list of the tasks that it holds.
 *
 * @module
 */
import type { NewTask } from "../../../../backend.ts";
import { Committer } from "../../../../src/backends/kv/committer.ts";
import { taskKey, workerKey } from "../../../../src/backends/kv/keys.ts";
import type { WorkerRecord } from "../../../../src/backends/kv/lease.ts";
import { Claims } from "../../../../src/backends/shared/claiming/claims.ts";
import { created, type TaskRecord } from "../../../../src/backends/shared/record.ts";
import { MAX_OWNER_LENGTH } from "../../../../src/ids.ts";
import { newWorker } from "../../../../src/operator/workers.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { turn } from "../../../../src/waiting.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { OWNER, storeOf } from "../support/store.ts";
import { newTask } from "../../../support/tasks.ts";

interface Opened {
  readonly claims: Claims;
  readonly kv: Deno.Kv;
  readonly statusOf: (record: TaskRecord) => Promise<TaskInfo["status"]>;
  /** The ids in the worker's list, and the version of that. */
  readonly list: () => Promise<{ readonly ids: readonly string[]; readonly versionstamp: string | null }>;
}

async function withClaims(
  use: (opened: Opened) => Promise<void>,
  jobs?: () => Promise<readonly string[]>,
): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = storeOf(kv, committer);
  const worker = newWorker(["job", "limited"]);
  const listener = { hasRoom: () => lease.hasRoom?.() ?? false, lose() {}, onError: ignored };
  const claims: Claims = new Claims(store, worker, listener, jobs, { limited: { concurrency: 1 } });
  const lease = store.lease(worker, () => claims.held);
  const statusOf = async ({ info: { id, owner } }: TaskRecord) => {
    const entry = await store.read(id, owner);
    assert(entry);
    return entry.record.info.status;
  };
  const list = async () => {
    const { value, versionstamp } = await kv.get<WorkerRecord>(workerKey(worker.name));
    return { ids: value?.held.map(([_, id]) => id) ?? [], versionstamp };
  };
  await use({ claims, kv, statusOf, list });
  await committer.drained();
}

function newRecord(own: Partial<NewTask> = {}): TaskRecord {
  const task = newTask({ owner: OWNER });
  return created({ ...task, ...own }, Date.now());
}

Deno.test("KV: the commit that claims new tasks lists them in the worker's lease, so that its death loses none", () =>
  withClaims(async ({ claims, kv, list }) => {
    const records = [newRecord(), newRecord()];
    await Promise.all(records.map((record) => claims.start(record, "{}")));
    const ids = records.map(({ info }) => info.id);
    const { versionstamp } = await list();
    assertEquals((await list()).ids, ids);
    for (const id of ids) assertEquals((await kv.get(taskKey(OWNER, id))).versionstamp, versionstamp);
    assertEquals(claims.held.map(({ id, status }) => [id, status]), ids.map((id) => [id, "RUNNING"]));
  }));

Deno.test("KV: new tasks that arrive one after another while a commit is under way are claimed by the next commit together", () =>
  withClaims(async ({ claims, kv, list }) => {
    const { atomic } = kv;
    let commits = 0;
    const records = Array.from({ length: 6 }, () => newRecord());
    const starts: Promise<unknown>[] = [];
    kv.atomic = () => {
      commits++;
      const operation = atomic.call(kv);
      const { commit } = operation;
      operation.commit = async () => {
        for (const record of records.splice(0)) {
          starts.push(claims.start(record, "{}"));
          await turn();
        }
        return await commit.call(operation);
      };
      return operation;
    };
    const first = newRecord();
    const ids = [first, ...records].map(({ info }) => info.id);
    await claims.start(first, "{}");
    await Promise.all(starts);
    assertEquals([commits, (await list()).ids], [2, ids]);
  }));

Deno.test("KV: a new task for which the worker's list has no room is queued, and the list stays as it is", () =>
  withClaims(async ({ claims, statusOf, list }) => {
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
    assertEquals((await list()).ids, claims.held.map(({ id }) => id));
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
  withClaims(async ({ claims, statusOf }) => {
    const record = newRecord();
    assertEquals(await claims.start(record, "{}"), true);
    assertEquals(await statusOf(record), "PENDING");
  }, () => Promise.resolve([])));

for (const [what, jobs] of [["would begin at once", ["job"]], ["would be queued", []]] as const) {
  Deno.test(`KV: a new task that ${what} is not stored if its key does not name it any more`, () =>
    withClaims(async ({ claims }) => {
      assertEquals(await claims.start(newRecord(), "{}", { name: "daily", names: "task" }), false);
      assertEquals(claims.held, []);
    }, () => Promise.resolve(jobs)));
}

Deno.test("KV: claims have settled once new tasks are claimed, too", () =>
  withClaims(async ({ claims, statusOf }) => {
    const record = newRecord();
    const start = claims.start(record, "{}");
    await claims.settled();
    assertEquals(await statusOf(record), "RUNNING");
    assertEquals(claims.held.map(({ status }) => status), ["RUNNING"]);
    await start;
  }));
