/**
 * Cases: of several servers with the same schedule, one creates the task of each due time.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import type { Backend } from "../../../backend.ts";
import { defineJob } from "../../../job.ts";
import { reporterOf } from "../../../log/on_error.ts";
import { ToolRegistry } from "../../../registry.ts";
import { Scheduler } from "../../../schedules/scheduler.ts";
import { type Cases, eventually, OWNER, type Stage } from "../../stage.ts";

const EVERY_MS = 150;

/** Runs a schedule as a server does. */
function serve(backend: Backend, name: string): Scheduler {
  const registered = new ToolRegistry().register(defineJob({ name: "scheduled", input: { type: "object" } }));
  const times = { every: EVERY_MS };
  const declaration = { job: "scheduled", owner: OWNER, input: { of: name }, times, catchUp: true };
  return new Scheduler(backend, [{ name, registered, declaration }], { audit() {}, onError: reporterOf() });
}

async function count({ backend }: Stage): Promise<number> {
  return (await backend.list(OWNER, { limit: 100 })).tasks.length;
}

export const schedules: Cases = {
  "of four servers on two connections that share a schedule, one creates the task of each due time": async (stage) => {
    const second = await stage.connect();
    const servers = [stage.backend, second, stage.backend, second].map((backend) => serve(backend, "often"));
    await eventually("there are six tasks", async () => await count(stage) >= 6);
    // Those under way are finished, so the document and the tasks agree.
    for (const server of servers) await server[Symbol.asyncDispose]();
    const [schedule] = await stage.backend.operator.schedules();
    const { tasks: [newest] } = await stage.backend.list(OWNER, { limit: 1 });
    strictEqual(schedule?.last?.task, newest?.id);
    const created = await count(stage);
    const named = await Promise.all(Array.from({ length: created }, (_, index) => {
      const dueAt = (schedule?.last?.dueAt ?? 0) - index * EVERY_MS;
      return stage.backend.keys.readKey(OWNER, `schedule:often:${dueAt}`);
    }));
    const { tasks } = await stage.backend.list(OWNER, { limit: 100 });
    deepStrictEqual(new Set(named), new Set(tasks.map(({ id }) => id)));
  },

  "a schedule that an operator resumes goes on with the next due time, and makes up for none of the pause": async (
    stage,
  ) => {
    const { operator } = await stage.connect();
    const server = serve(stage.backend, "held");
    await eventually("there is a task", async () => await count(stage) > 0);
    strictEqual(await operator.pauseSchedule("held", true), true);
    await server[Symbol.asyncDispose](); // So that no server serves what is due.
    const resumedAt = Date.now();
    strictEqual(await operator.pauseSchedule("held", false), true);
    const [resumed] = await operator.schedules();
    ok((resumed?.nextAt ?? 0) > resumedAt, `${resumed?.nextAt} instead of after ${resumedAt}`);
    strictEqual(await operator.removeSchedule("held"), true);
    deepStrictEqual(await operator.schedules(), []);
  },

  "a schedule that an operator pauses or removes on another connection creates no more tasks": async (stage) => {
    const { operator } = await stage.connect();
    await using _server = serve(stage.backend, "steered");
    await eventually("there is a task", async () => await count(stage) > 0);
    strictEqual(await operator.pauseSchedule("steered", true), true);
    const [paused] = await operator.schedules();
    deepStrictEqual([paused?.paused, paused?.nextAt, paused?.input], [true, undefined, { of: "steered" }]);
    const last = paused?.last?.task;
    strictEqual(await operator.pauseSchedule("steered", false), true);
    await eventually("it goes on", async () => (await operator.schedules())[0]?.last?.task !== last);
    strictEqual(await operator.removeSchedule("steered"), true);
    const [removedAt, before] = [Date.now(), await count(stage)];
    await using _other = serve(stage.backend, "other");
    const other = async () => (await operator.schedules())[0];
    await eventually("another one goes on", async () => ((await other())?.last?.dueAt ?? 0) > removedAt + 3 * EVERY_MS);
    const ofOther = Math.ceil(((await other())?.last?.dueAt ?? 0) - removedAt) / EVERY_MS + 1;
    ok(await count(stage) - before <= ofOther + 1); // One may have been under way.
    deepStrictEqual((await operator.schedules()).map(({ name }) => name), ["other"]);
  },
};
