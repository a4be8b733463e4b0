/**
 * Cases: who may read a task, for how long, and how an owner's tasks are listed.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import type { Backend } from "../../backend.ts";
import { DefinitionError, InvalidInput, TaskExpired, TaskNotFound, TaskNotReady } from "../../errors.ts";
import { newTaskId, NO_TASK } from "../../ids.ts";
import { TOMBSTONE_MS } from "../../task.ts";
import { type Cases, eventually, OWNER } from "../stage.ts";

/** The errors that an owner gets for an id, without the id in their texts. */
async function refusals(backend: Backend, id: string, owner: string): Promise<readonly string[]> {
  const ask = [backend.get(id, owner), backend.outcome(id, owner), backend.cancel(id, owner, 0)];
  return await Promise.all(ask.map((answer) =>
    answer.then(
      () => "no refusal",
      (error) => error instanceof Error ? `${error.name}: ${error.message.replaceAll(id, "<id>")}` : "no error",
    )
  ));
}

export const reading: Cases = {
  "an unknown id is not found, whatever it looks like": async ({ backend }) => {
    const ids = [newTaskId(), "", "__proto__", "constructor", "a:b", "a/b", "*", "\u0000", "ü".repeat(5_000)];
    for (const id of ids) {
      await rejects(backend.get(id, OWNER), TaskNotFound);
      await rejects(backend.outcome(id, OWNER), TaskNotFound);
      await rejects(backend.cancel(id, OWNER, 0), TaskNotFound);
    }
  },

  "another owner gets the same errors for a task as for an unknown id": async (stage) => {
    await stage.work({ quick: () => "secret" });
    const unknown = await refusals(stage.backend, newTaskId(), "stranger");
    for (const job of ["quick", "nobody runs this"]) {
      const task = await stage.create({ job });
      if (job === "quick") await stage.finished(task);
      deepStrictEqual(await refusals(stage.backend, task.id, "stranger"), unknown);
      strictEqual((await stage.backend.get(task.id, OWNER)).status, job === "quick" ? "COMPLETED" : "PENDING");
    }
  },

  "another owner who reads at the same moment as the owner receives nothing of the task": async (stage) => {
    const { id } = await stage.create({ job: "nobody runs this" });
    for (const owners of [[OWNER, "stranger"], ["stranger", OWNER]]) {
      const reads = await Promise.allSettled(owners.map((owner) => stage.backend.get(id, owner)));
      const got = reads.map((read) =>
        read.status === "fulfilled" ? read.value.owner : read.reason instanceof TaskNotFound
      );
      deepStrictEqual(got, owners.map((owner) => owner === OWNER ? OWNER : true));
    }
  },

  "reading the outcome of an unfinished task is refused as not ready": async (stage) => {
    const task = await stage.create({ job: "nobody runs this" });
    await rejects(stage.backend.outcome(task.id, OWNER), TaskNotReady);
  },

  "a result expires after its time to live, and only its owner learns that": async (stage) => {
    await stage.work({ quick: () => "gone soon" });
    const task = await stage.create({ job: "quick", resultTtl: 500 });
    await stage.finished(task);
    const read = () => stage.backend.get(task.id, OWNER).then(() => undefined, (error) => error);
    await eventually("the task expires", async () => await read() !== undefined);
    await stage.work({ other: () => 1 }); // Now a store may delete what it no longer needs.
    await rejects(stage.backend.get(task.id, OWNER), TaskExpired);
    await rejects(stage.backend.outcome(task.id, OWNER), TaskExpired);
    await rejects(stage.backend.cancel(task.id, OWNER, 0), TaskExpired);
    const unknown = await refusals(stage.backend, newTaskId(), "stranger");
    deepStrictEqual(await refusals(stage.backend, task.id, "stranger"), unknown);
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 10 })).tasks, []);
  },

  "for an hour after its result has expired, the owner of a task learns that; then the task is deleted": async (
    stage,
  ) => {
    const { backend } = stage;
    const { id } = await stage.create({ job: "old", resultTtl: 60_000 });
    await backend.cancel(id, OWNER, 0);
    if (!await stage.later(60_000 + TOMBSTONE_MS / 2)) return;
    await rejects(backend.get(id, OWNER), TaskExpired);
    await stage.later(TOMBSTONE_MS); // A store may keep it a little longer.
    await eventually("the task is deleted, so an operator no longer counts it", async () => {
      return !(await backend.operator.counts()).some(({ job }) => job === "old");
    });
    const unknown = await refusals(backend, NO_TASK, OWNER);
    deepStrictEqual(await refusals(backend, id, OWNER), unknown);
  },

  "the time to live starts when a task finishes, not when it is stored": async (stage) => {
    const task = await stage.create({ job: "nobody runs this", resultTtl: 1 });
    await eventually("more time has passed than the task has", () => Date.now() > task.createdAt + 20);
    strictEqual((await stage.backend.get(task.id, OWNER)).status, "PENDING");
  },

  "an owner's tasks are listed page by page, newest first, without those of others": async (stage) => {
    await stage.work({ quick: () => "done" });
    const ids: string[] = [];
    for (const job of ["quick", "waits", "quick", "waits", "waits"]) {
      const task = await stage.create({ job });
      if (job === "quick") await stage.finished(task);
      ids.unshift(task.id);
      await stage.create({ job, owner: `${OWNER}0` });
    }
    const second = await stage.connect();
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await second.list(OWNER, { cursor, limit: 2 });
      pages.push(page.tasks.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== undefined && pages.length < 10);
    deepStrictEqual(pages, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  },

  "a list is sorted by id, whatever was stored first": async (stage) => {
    const [older, newer] = [newTaskId(), newTaskId()];
    await stage.create({ id: newer, job: "waits" });
    await stage.create({ id: older, job: "waits" });
    const { tasks: [first], nextCursor } = await stage.backend.list(OWNER, { limit: 1 });
    const { tasks: [second] } = await stage.backend.list(OWNER, { limit: 1, cursor: nextCursor });
    deepStrictEqual([first?.id, second?.id], [newer, older]);
  },

  "expired tasks take no place on a page": async (stage) => {
    const [live, other] = [await stage.create({ job: "waits" }), await stage.create({ job: "waits" })];
    for (let i = 0; i < 4; i++) {
      const { id } = await stage.create({ job: "waits", resultTtl: 500 });
      await stage.backend.cancel(id, OWNER, 0);
    }
    const page = async (limit: number) => (await stage.backend.list(OWNER, { limit })).tasks.map(({ id }) => id);
    await eventually("all that was cancelled has expired", async () => (await page(10)).length === 2);
    deepStrictEqual(await page(1), [other.id]);
    deepStrictEqual(await page(2), [other.id, live.id]);
  },

  "a list that fits on one page has no next page": async (stage) => {
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 2 })).tasks, []);
    await stage.create({ job: "waits" });
    await stage.create({ job: "waits" });
    const page = await stage.backend.list(OWNER, { limit: 2 });
    strictEqual(page.tasks.length, 2);
    strictEqual(page.nextCursor, undefined);
  },

  "an invalid cursor is refused": async (stage) => {
    await stage.create({ job: "waits" });
    for (const cursor of ["nonsense", "", "__proto__", "x".repeat(5_000)]) {
      await rejects(stage.backend.list(OWNER, { cursor, limit: 2 }), InvalidInput);
    }
  },

  "a limit of a page that is no whole number from 1 is refused": async (stage) => {
    await stage.create({ job: "waits" });
    for (const limit of [0, -1, 1.5, NaN, Infinity]) {
      await rejects(stage.backend.list(OWNER, { limit }), DefinitionError);
    }
  },

  "with a cursor of another owner, an owner sees only their own tasks": async (stage) => {
    await stage.create({ job: "waits", owner: "other" });
    await stage.create({ job: "waits" });
    await stage.create({ job: "waits" });
    const { nextCursor } = await stage.backend.list(OWNER, { limit: 1 });
    ok(nextCursor);
    const page = await stage.backend.list("other", { cursor: nextCursor, limit: 10 }).catch(() => undefined);
    deepStrictEqual(page?.tasks.filter(({ owner }) => owner !== "other") ?? [], []);
  },
};
