/**
 * Cases: an operator lists and reads the tasks of all owners.
 *
 * @module
 */
import { deepStrictEqual, rejects, strictEqual } from "node:assert";
import type { TaskFilter } from "../../../backend.ts";
import { DefinitionError, InvalidInput, TaskExpired, TaskNotFound } from "../../../errors.ts";
import { firstIdOf, newTaskId } from "../../../ids.ts";
import type { TaskInfo } from "../../../task.ts";
import { type Cases, eventually, type Stage } from "../../stage.ts";
import { fail } from "./operator.ts";

/** All pages of a list. */
async function listed(stage: Stage, filter?: TaskFilter): Promise<readonly string[]> {
  const operator = stage.backend.operator;
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await operator.tasks({ ...filter, cursor });
    ids.push(...page.tasks.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return ids;
}

export const listing: Cases = {
  "an operator lists the tasks of all owners, newest first, and reads each with its input": async (stage) => {
    const operator = (await stage.connect()).operator;
    deepStrictEqual((await operator.tasks()).tasks, []);
    const tasks: TaskInfo[] = [];
    for (const owner of ["ann", "bob", "cara"]) {
      tasks.unshift(await stage.create({ job: "waits", owner, input: { of: owner } }));
    }
    deepStrictEqual(await operator.tasks(), { tasks });
    for (const task of tasks) {
      deepStrictEqual(await operator.get(task.id), task);
      deepStrictEqual(await operator.input(task.id), { of: task.owner });
    }
  },

  "the filters of an operator's list apply alone and together": async (stage) => {
    await stage.work({ quick: () => 1, fails: fail });
    const tasks: TaskInfo[] = [];
    for (const owner of ["ann", "bob"]) {
      for (const job of ["quick", "fails", "waits", "waits"]) {
        const task = await stage.create({ job, owner });
        if (job !== "waits") tasks.unshift(await stage.finished(task));
        else if (tasks[0]?.job !== "waits") tasks.unshift(await stage.backend.cancel(task.id, owner, 0));
        else tasks.unshift(task);
        await eventually("the clock moves on", () => Date.now() > task.createdAt);
      }
    }
    const times = [tasks[2], tasks[5]].map((task) => task?.createdAt ?? 0);
    for (const job of [undefined, "quick", "waits", "no such job"]) {
      for (const status of [undefined, "PENDING", "COMPLETED", "FAILED", "CANCELLED", "RUNNING"] as const) {
        for (const owner of [undefined, "ann"]) {
          for (const [until, since] of [[], times, [times[0]], [undefined, times[0]]]) {
            const filter = { job, status, owner, since, until };
            const wanted = tasks.filter((task) =>
              (job ?? task.job) === task.job && (status ?? task.status) === task.status &&
              (owner ?? task.owner) === task.owner && (since ?? 0) <= task.createdAt &&
              task.createdAt < (until ?? Infinity)
            );
            deepStrictEqual(await listed(stage, filter), wanted.map(({ id }) => id), JSON.stringify(filter));
          }
        }
      }
    }
  },

  "the pages of an operator's list neither repeat nor leave out a task while others are created": async (stage) => {
    const operator = stage.backend.operator;
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift((await stage.create({ job: "waits", owner: `owner-${i % 3}` })).id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await operator.tasks({ limit: 2, cursor });
      seen.push(...page.tasks.map(({ id }) => id));
      cursor = page.nextCursor;
      await stage.create({ job: "waits" });
    } while (cursor !== undefined && seen.length < 20);
    deepStrictEqual(seen, ids);
  },

  "an operator finds tasks created before a time, however many were created since": async (stage) => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await stage.create({ job: "waits" })).id);
    const { createdAt: last } = await stage.backend.operator.get(ids[0] ?? "");
    await eventually("the clock moves on", () => Date.now() > last + 5);
    const until = (await stage.create({ job: "waits" })).createdAt;
    for (let i = 0; i < 40; i++) await stage.create({ job: "waits" });
    deepStrictEqual(await listed(stage, { until, limit: 2 }), ids); // A page with a cursor may hold fewer, or none.
  },

  "a list is empty if its times, or its time and its cursor, leave nothing": async (stage) => {
    const { createdAt } = await stage.create({ job: "waits" });
    const [before, after] = [createdAt - 3_600_000, createdAt + 3_600_000];
    for (const filter of [{}, { job: "waits" }, { owner: "ann" }, { status: "PENDING" }] as const) {
      deepStrictEqual(await stage.backend.operator.tasks({ ...filter, since: after, until: before }), { tasks: [] });
      deepStrictEqual(await stage.backend.operator.tasks({ ...filter, since: createdAt, cursor: firstIdOf(before) }), {
        tasks: [],
      });
    }
  },

  "a task whose id was made by a clock that is ahead is on the page of the time at which it was created": async (
    stage,
  ) => {
    const operator = stage.backend.operator;
    const ahead = firstIdOf(Date.now() + 40_000).slice(0, 19) + newTaskId().slice(19);
    const task = await stage.create({ job: "waits", id: ahead });
    const second = await stage.connect();
    await eventually("the clock moves on", () => Date.now() > task.createdAt + 5);
    const { createdAt: until } = await stage.create({ job: "waits" }, second);
    for (const backend of [stage.backend, second]) {
      deepStrictEqual((await backend.operator.tasks({ until })).tasks, [task]);
    }
    deepStrictEqual(await listed(stage, { since: task.createdAt, until }), [task.id]);
    deepStrictEqual((await operator.tasks({ until: task.createdAt })).tasks, []);
  },

  "an operator's list refuses an invalid cursor, limit or filter": async (stage) => {
    const operator = stage.backend.operator;
    for (const cursor of ["", "nonsense", "x".repeat(5_000)]) await rejects(operator.tasks({ cursor }), InvalidInput);
    const status = "DONE" as "PENDING";
    for (const filter of [{ limit: 0 }, { limit: 1_001 }, { limit: 1.5 }, { status }, { since: NaN }]) {
      await rejects(operator.tasks(filter), DefinitionError);
    }
  },

  "expired tasks hide no older one from an operator": async (stage) => {
    const live = await stage.create({ job: "waits" });
    for (let i = 0; i < 5; i++) {
      const { id, owner } = await stage.create({ job: "waits", resultTtl: 1 });
      await stage.backend.cancel(id, owner, 0);
      const { operator } = stage.backend;
      await eventually("the task expires", () => operator.get(id).then(() => false, () => true));
    }
    deepStrictEqual(await listed(stage, { limit: 2 }), [live.id]);
  },

  "an operator finds no task of an unknown id, and learns that one has expired": async (stage) => {
    const operator = stage.backend.operator;
    for (const id of [newTaskId(), "", "a/b", "__proto__"]) {
      await rejects(operator.get(id), TaskNotFound);
      await rejects(operator.input(id), TaskNotFound);
      await rejects(operator.cancel(id), TaskNotFound);
      await rejects(operator.retry(id), TaskNotFound);
    }
    const task = await stage.create({ job: "waits", resultTtl: 1 });
    await stage.backend.cancel(task.id, task.owner, 0);
    await eventually("the task expires", () => operator.get(task.id).then(() => false, () => true));
    await rejects(operator.get(task.id), TaskExpired);
    await rejects(operator.input(task.id), TaskExpired);
    await rejects(operator.retry(task.id), TaskExpired);
    const live = await stage.create({ job: "waits" });
    deepStrictEqual(await listed(stage, { limit: 1 }), [live.id]);
    strictEqual((await listed(stage, { status: "CANCELLED" })).length, 0);
  },
};
