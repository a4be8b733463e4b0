/**
 * Cases: questions that may be answered only for a time.
 *
 * @module
 */
import { deepStrictEqual, ok } from "node:assert";
import type { Answers } from "../../questions/open.ts";
import { openQuestions } from "../../task.ts";
import { type Cases, type Code, CONFIRM, eventually, OWNER, YES } from "../stage.ts";
import { askedBy } from "./asking.ts";

const EXPIRED = { action: "expired" } as const;

/** How long the questions may be answered, in ms: long enough for a slow machine to see them open. */
const BRIEF_MS = 1_000;

const askBriefly: Code = (_, ctx) => ctx.elicit({ ...CONFIRM, expiresIn: BRIEF_MS });

export const expiring: Cases = {
  "a question without an answer in time is answered as expired, and a later answer changes nothing": async (stage) => {
    await stage.work({ ask: askBriefly }, { parkAfter: 3_600_000 }); // Parking would expire it, too.
    const task = await stage.create({ job: "ask" });
    const question = await askedBy(stage, task);
    ok(question.expiresAt !== undefined && question.expiresAt > task.createdAt);
    const end = await stage.finished(task);
    deepStrictEqual(await stage.backend.answer(task.id, OWNER, { [question.key]: YES }), { task: end, counted: [] });
    deepStrictEqual(end.expiredQuestions, [question.key]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: EXPIRED });
  },

  "a question that expires while its task waits for a worker takes no answer any more, and is not asked again": async (
    stage,
  ) => {
    const worker = await stage.work({ ask: askBriefly });
    const task = await stage.create({ job: "ask" });
    const { key } = await askedBy(stage, task);
    await worker.close(0);
    // An answer to another question lets the store notice that this one has expired.
    const answer = (answers: Answers) => stage.backend.answer(task.id, OWNER, answers);
    await eventually("the question expires", async () => {
      const { task, counted } = await answer({ other: YES });
      deepStrictEqual([counted, task.expiredQuestions], [[], openQuestions(task).length > 0 ? undefined : [key]]);
      return openQuestions(task).length === 0;
    });
    deepStrictEqual((await answer({ [key]: YES })).counted, []);
    await stage.work({ ask: askBriefly });
    deepStrictEqual((await stage.finished(task)).expiredQuestions, [key]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: EXPIRED });
  },

  "an answer that is the first to come after its question has expired does not count": async (stage) => {
    const worker = await stage.work({ ask: askBriefly });
    const task = await stage.create({ job: "ask" });
    const { key, expiresAt = Infinity } = await askedBy(stage, task);
    await worker.close(0);
    await eventually("its time has passed", () => Date.now() > expiresAt + 100);
    const { counted, task: { expiredQuestions } } = await stage.backend.answer(task.id, OWNER, { [key]: YES });
    deepStrictEqual([counted, expiredQuestions], [[], [key]]);
    await stage.work({ ask: askBriefly });
    await stage.finished(task);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: EXPIRED });
  },

  "a parked task whose question expires runs again by itself, in the same attempt": async (stage) => {
    let runs = 0;
    await stage.work({ ask: (input, ctx) => (runs++, askBriefly(input, ctx)) }, { parkAfter: 0 });
    const task = await stage.create({ job: "ask" });
    const [question] = openQuestions(await stage.parked(task));
    ok(question?.expiresAt !== undefined);
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt, runs], ["COMPLETED", 1, 2]);
    deepStrictEqual(end.expiredQuestions, [question.key]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: EXPIRED });
  },

  "a parked task of which one question expires waits on for the other, which is not asked again": async (stage) => {
    const other = { ...CONFIRM, message: "And this?" };
    const ask: Code = (_, ctx) => ctx.elicit.all([{ ...CONFIRM, expiresIn: BRIEF_MS }, other]);
    await stage.work({ ask }, { parkAfter: 0 });
    const task = await stage.create({ job: "ask" });
    const both = openQuestions(await stage.parked(task));
    const again = await stage.until(
      task,
      "parked again",
      (now) => "parked" in now && now.parked === true && openQuestions(now).length === 1,
    );
    deepStrictEqual(openQuestions(again), both.filter(({ message }) => message === other.message));
    await stage.backend.answer(task.id, OWNER, { [openQuestions(again)[0]?.key ?? ""]: YES });
    deepStrictEqual(await stage.valueOf(task), [EXPIRED, YES]);
  },

  "a run after a question has expired logs nothing again that led to it, also if a sleep is beside it": async (
    stage,
  ) => {
    const tell: Code = async ({ naps }, ctx) => {
      await ctx.log("asks");
      const [answer] = await Promise.all([askBriefly({}, ctx), naps && ctx.sleep("nap", 2 * BRIEF_MS)]);
      await ctx.log("has asked");
      return answer;
    };
    await stage.work({ tell }, { parkAfter: 0 });
    const tasks = [await stage.create({ job: "tell" }), await stage.create({ job: "tell", input: { naps: true } })];
    for (const task of tasks) {
      deepStrictEqual(await stage.valueOf(task), EXPIRED);
      const lines = await stage.backend.log(task.id, OWNER);
      deepStrictEqual(lines.map(({ text }) => text), ["asks", "has asked"]);
    }
  },

  "a run that asks an open question again beside what is over logs nothing again that led to it": async (stage) => {
    const other = { ...CONFIRM, message: "And this?" };
    const tell: Code = async ({ naps }, ctx) => {
      await ctx.log("asks");
      if (naps) await Promise.all([ctx.elicit(other), ctx.sleep("nap", 2 * BRIEF_MS)]);
      else await ctx.elicit.all([other, { ...CONFIRM, expiresIn: BRIEF_MS }]);
      await ctx.log("has asked");
    };
    await stage.work({ tell }, { parkAfter: 0 });
    const tasks = [await stage.create({ job: "tell" }), await stage.create({ job: "tell", input: { naps: true } })];
    for (const task of tasks) {
      const again = await stage.until(task, "parked without a time", (now) => {
        return "parked" in now && now.status === "INPUT_REQUIRED" && now.dueAt === undefined;
      });
      await stage.answer(again, YES);
      await stage.valueOf(task);
      const lines = await stage.backend.log(task.id, OWNER);
      deepStrictEqual(lines.map(({ text }) => text), ["asks", "has asked"]);
    }
  },
};
