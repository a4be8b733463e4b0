/**
 * Cases: the steps of a task as its worker records them, and what is left of a task in the store.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert";
import type { Claim } from "../../../backend.ts";
import { newTaskId } from "../../../ids.ts";
import { type Cases, eventually } from "../../stage.ts";

/** The numbers and values of the recorded steps. */
async function recorded(claim: Claim): Promise<readonly unknown[]> {
  return (await claim.steps()).map(({ index, text }) => [index, JSON.parse(text).value]);
}

export const recording: Cases = {
  "a step with the number of another replaces it, and forgetting from a number on leaves those before it, in all runs":
    async (stage) => {
      const seen: unknown[] = [];
      const names = new Map([[10, "k"], [1, "b"], [2, "c"], [0, "a"]]);
      await stage.take("records", async (claim) => {
        const record = (index: number, value: string) =>
          claim.record({ index, text: JSON.stringify({ name: `step ${index}`, at: claim.now(), value }) });
        if (claim.task.attempt === 2) {
          seen.push(await recorded(claim));
          return { kind: "value", value: null };
        }
        for (const [index, value] of names) await record(index, value);
        await record(1, "B");
        seen.push(await recorded(claim));
        await claim.forget(2);
        return { kind: "error", message: "not today", retry: true };
      });
      const retry = { attempts: 2, delay: 10, maxDelay: 10 };
      await stage.finished(await stage.create({ job: "records", retry }));
      deepStrictEqual(seen, [[[0, "a"], [1, "B"], [2, "c"], [10, "k"]], [[0, "a"], [1, "B"]]]);
    },

  "of a long log only the end stays in the store, of a finished task no step, and of a purged one nothing": async (
    stage,
  ) => {
    const gate = Promise.withResolvers<void>();
    const [input, step, first, last, result] = [newTaskId(), newTaskId(), newTaskId(), newTaskId(), newTaskId()];
    await stage.work({
      tell: async (_, ctx) => {
        await ctx.log("debug", first);
        for (let line = 1; line <= 300; line++) await ctx.log("debug", `line ${line} ${"-".repeat(500)}`);
        await ctx.log("debug", last);
        await ctx.step("first", () => step);
        await gate.promise;
        return result;
      },
    });
    const holds = (text: string) => stage.holds(text);
    const task = await stage.create({ job: "tell", input: { text: input } });
    await stage.until(task, "at its last line", ({ logged }) => logged === 302);
    await eventually("its step is stored", () => holds(step));
    deepStrictEqual(await Promise.all([input, first, last].map(holds)), [true, false, true]);
    gate.resolve();
    await stage.finished(task);
    await eventually("its step is deleted", async () => !await holds(step));
    deepStrictEqual(await Promise.all([input, last, result].map(holds)), [true, true, true]);
    strictEqual(await stage.backend.operator.purge({ status: "COMPLETED", before: Infinity }), 1);
    for (const text of [input, last, result]) await eventually("all is deleted", async () => !await holds(text));
  },
};
