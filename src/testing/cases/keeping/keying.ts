/**
 * Cases: of all starts with the same key, one creates the task.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from "node:assert";
import type { Backend, TaskKey } from "../../../backend.ts";
import { InvalidInput, KeyInUse, LimitExceeded } from "../../../errors.ts";
import { firstIdOf } from "../../../ids.ts";
import type { TaskInfo } from "../../../task.ts";
import { type Cases, eventually, OWNER, type Stage } from "../../stage.ts";

const KEY: TaskKey = { name: "report:1", window: 0 };

function start(
  stage: Stage,
  key: Partial<TaskKey> = {},
  owner = OWNER,
  backend?: Backend,
  admit?: () => Promise<void>,
): Promise<TaskInfo> {
  return stage.create({ job: "keyed", owner, key: { ...KEY, ...key } }, backend, admit);
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

  "a task whose result has expired holds its key no longer, however long the window is": async (stage) => {
    await stage.work({ keyed: () => 1 });
    const key = { ...KEY, window: 3_600_000 };
    const { id } = await stage.finished(await stage.create({ job: "keyed", key, resultTtl: 300 }));
    await eventually("it has expired", () => stage.backend.get(id, OWNER).then(() => false, () => true));
    const again = await stage.create({ job: "keyed", key });
    notStrictEqual(again.id, id);
    strictEqual((await stage.create({ job: "keyed", key })).id, again.id);
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

  "of many simultaneous changes of what a key names, on two connections, one is made": async (stage) => {
    const second = await stage.connect();
    const change = (from: string | undefined, to: string | undefined) =>
      Promise.all(Array.from({ length: 10 }, (_, index) => {
        const { keys } = index % 2 ? second : stage.backend;
        return keys.writeKey(OWNER, "list", from, to === undefined ? to : `${to} ${index}`);
      }));
    let named: string | undefined;
    for (const text of ["a".repeat(3_990), "b", undefined]) {
      const done = await change(named, text);
      strictEqual(done.filter(Boolean).length, 1);
      named = await stage.backend.keys.readKey(OWNER, "list");
      strictEqual(named, text === undefined ? undefined : `${text} ${done.indexOf(true)}`);
      strictEqual(await second.keys.readKey(OWNER, "list"), named);
    }
  },

  "each owner, and the servers themselves, can have a key of the same name": async (stage) => {
    const { keys } = stage.backend;
    for (const owner of [OWNER, "owner-2", ""]) {
      strictEqual(await keys.writeKey(owner, "same", undefined, `of ${owner}`), true);
    }
    for (const owner of [OWNER, "owner-2", ""]) strictEqual(await keys.readKey(owner, "same"), `of ${owner}`);
    strictEqual(await keys.writeKey("", "same", "other", undefined), false);
    strictEqual(await keys.readKey("", "same"), "of ");
  },

  "a start that is not admitted stores nothing, and leaves its key to others; one that finds its task needs no admission":
    async (stage) => {
      let asked = 0;
      const refuse = () => {
        asked++;
        return Promise.reject(new LimitExceeded("tasks", "Too many."));
      };
      await rejects(start(stage, {}, OWNER, stage.backend, refuse), LimitExceeded);
      await rejects(stage.create({ job: "keyed" }, stage.backend, refuse), LimitExceeded);
      strictEqual(await count(stage), 0);
      const first = await start(stage);
      strictEqual((await start(stage, {}, OWNER, stage.backend, refuse)).id, first.id);
      strictEqual(asked, 2);
    },

  "a start that loses its key to another task before it is stored receives that task, and stores nothing": async (
    stage,
  ) => {
    const { keys } = stage.backend;
    const other = await stage.create({ job: "keyed" });
    const takeKey = async () => {
      strictEqual(await keys.writeKey(OWNER, "a key", await keys.readKey(OWNER, "a key"), other.id), true);
    };
    const key = { name: "a key", window: 0 };
    deepStrictEqual(await stage.create({ job: "keyed", key }, stage.backend, takeKey), other);
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 10 })).tasks, [other]);
  },

  "a start that loses its key before it is stored, and receives it again, is admitted again": async (stage) => {
    const { keys } = stage.backend;
    const gone = firstIdOf(0); // A start takes the key that stores nothing.
    let asked = 0;
    const loseKey = async () => {
      const named = await keys.readKey(OWNER, KEY.name);
      if (++asked === 1) strictEqual(await keys.writeKey(OWNER, KEY.name, named, gone), true);
    };
    const made = await start(stage, {}, OWNER, stage.backend, loseKey);
    strictEqual(asked, 2);
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 10 })).tasks, [made]);
  },

  "a start is refused if the key that its `unless` names receives a text while the start is admitted": async (
    stage,
  ) => {
    const fill = async () => {
      strictEqual(await stage.backend.keys.writeKey(OWNER, "full", undefined, "a text"), true);
    };
    await rejects(stage.create({ job: "keyed", unless: "full" }, stage.backend, fill), KeyInUse);
    strictEqual(await count(stage), 0);
  },

  "a start is refused if the key that its `unless` names has a text, and stores nothing; those beside it are stored":
    async (stage) => {
      const { keys } = stage.backend;
      const ran: string[] = [];
      const create = (unless?: string, owner = OWNER) => stage.create({ job: "keyed", owner, unless });
      const stored = async () => {
        const pages = await Promise.all([OWNER, "owner-2"].map((owner) => stage.backend.list(owner, { limit: 100 })));
        return pages.flatMap(({ tasks }) => tasks);
      };
      const round = async () => {
        strictEqual(await keys.writeKey(OWNER, "full", undefined, "a text"), true);
        const starts = () => [create("full"), create("empty"), create(), create("full", "owner-2")];
        const made = await Promise.allSettled([...starts(), ...starts(), ...starts()]);
        const refused = made.filter((_, index) => index % 4 === 0);
        for (const one of refused) ok(one.status === "rejected" && one.reason instanceof KeyInUse, String(one));
        strictEqual(made.filter(({ status }) => status === "fulfilled").length, 9);
        strictEqual(await keys.writeKey(OWNER, "full", "a text", undefined), true);
        strictEqual((await create("full")).job, "keyed");
      };
      await round();
      await stage.work({ keyed: (_, { id }) => void ran.push(id) });
      for (const task of await stored()) await stage.finished(task);
      await round(); // Now the worker has free slots.
      const tasks = await stored();
      for (const task of tasks) await stage.finished(task);
      strictEqual(tasks.length, 20);
      deepStrictEqual(ran.sort(), tasks.map(({ id }) => id).sort());
    },

  "a start whose key has a text that names no task stores its task, and the key names that": async (stage) => {
    const { keys } = stage.backend;
    for (const text of ["", "a list", "x".repeat(36), "0000000g-0000-7000-8000-000000000000 and more"]) {
      const name = `of ${text}`;
      strictEqual(await keys.writeKey(OWNER, name, undefined, text), true);
      const { id } = await start(stage, { name });
      strictEqual(await keys.readKey(OWNER, name), id);
      strictEqual((await start(stage, { name })).id, id);
    }
  },

  "a start with a different fingerprint is refused, and stores nothing": async (stage) => {
    const first = await start(stage, { fingerprint: "a" });
    strictEqual((await start(stage, { fingerprint: "a" })).id, first.id);
    await rejects(start(stage, { fingerprint: "b" }), InvalidInput);
    strictEqual(await count(stage), 1);
  },
};
