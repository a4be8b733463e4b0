/**
 * Cases: of all starts with the same key, one creates the task.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, rejects, strictEqual } from "node:assert";
import type { Backend, TaskKey } from "../backend.ts";
import { InvalidInput } from "../errors.ts";
import type { TaskInfo } from "../task.ts";
import { type Cases, OWNER, type Stage } from "./stage.ts";

const KEY: TaskKey = { name: "report:1", window: 0 };

function start(stage: Stage, key: Partial<TaskKey> = {}, owner = OWNER, backend?: Backend): Promise<TaskInfo> {
  return stage.create({ job: "keyed", owner, key: { ...KEY, ...key } }, backend);
}

function adopt(stage: Stage, backend?: Backend): Promise<TaskInfo> {
  return stage.create({ job: "keyed", adopt: "offered" }, backend);
}

async function count(stage: Stage): Promise<number> {
  return (await stage.backend.list(OWNER, { limit: 100 })).tasks.length;
}

export const keying: Cases = {
  "of many simultaneous starts with the same key, on two connections, one creates the task": async (stage) => {
    const second = await stage.connect();
    for (const name of ["a", "b", "c"]) {
      const starts = Array.from(
        { length: 20 },
        (_, index) => start(stage, { name }, OWNER, index % 2 ? second : undefined),
      );
      const ids = new Set((await Promise.all(starts)).map(({ id }) => id));
      strictEqual(ids.size, 1);
    }
    strictEqual(await count(stage), 3);
  },

  "a start whose key a task holds receives that task in its present state, and stores nothing": async (stage) => {
    const first = await start(stage);
    deepStrictEqual(await start(stage), await stage.backend.get(first.id, OWNER));
    notStrictEqual((await start(stage, { name: "report:2" })).id, first.id);
    notStrictEqual((await start(stage, {}, "owner-2")).id, first.id);
    strictEqual(await count(stage), 2); // The third is of another owner.
  },

  "a completed task holds its key for the window, and releases it without one": async (stage) => {
    await stage.work({ keyed: () => 1 });
    const first = await start(stage);
    await stage.finished(first);
    strictEqual((await start(stage, { window: 60_000 })).id, first.id);
    notStrictEqual((await start(stage)).id, first.id);
  },

  "a failed or cancelled task releases its key at once": async (stage) => {
    await stage.work({
      keyed: () => {
        throw new Error("no");
      },
    });
    const failed = await start(stage);
    await stage.finished(failed);
    const again = await start(stage, { window: 60_000 });
    notStrictEqual(again.id, failed.id);
    const idle = await stage.create({ job: "nobody runs this", key: { name: "idle", window: 60_000 } });
    await stage.backend.cancel(idle.id, OWNER, 0);
    notStrictEqual(
      (await stage.create({ job: "nobody runs this", key: { name: "idle", window: 60_000 } })).id,
      idle.id,
    );
  },

  "exactly one start receives a task that was offered under a key": async (stage) => {
    const second = await stage.connect();
    const { id } = await stage.create({ job: "keyed" });
    await stage.backend.offer(id, OWNER, "offered");
    const starts = Array.from(
      { length: 10 },
      (_, index) => adopt(stage, index % 2 ? second : undefined),
    );
    const found = (await Promise.all(starts)).filter((task) => task.id === id);
    strictEqual(found.length, 1);
    strictEqual(await count(stage), 10);
  },

  "a start receives an offered task that has completed meanwhile, with its result": async (stage) => {
    await stage.work({ keyed: () => "done" });
    const task = await stage.create({ job: "keyed" });
    await stage.backend.offer(task.id, OWNER, "offered");
    await stage.finished(task);
    const found = await adopt(stage);
    strictEqual(found.id, task.id);
    deepStrictEqual(await stage.backend.outcome(found.id, OWNER), { kind: "value", value: "done" });
  },

  "a start with a different fingerprint is refused, and stores nothing": async (stage) => {
    const first = await start(stage, { fingerprint: "a" });
    strictEqual((await start(stage, { fingerprint: "a" })).id, first.id);
    await rejects(start(stage, { fingerprint: "b" }), InvalidInput);
    strictEqual(await count(stage), 1);
  },
};
