/**
 * Cases: a job asks, somebody answers, and workers stop in between.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import { TaskNotFound, TaskParked } from "../../errors.ts";
import type { JobContext } from "../../steps/context.ts";
import { MAX_ANSWER, MAX_ASKED } from "../../questions/budget.ts";
import { type Answer, type Json, openQuestions, type Question, type TaskInfo } from "../../task.ts";
import {
  aborted,
  ask,
  type Cases,
  type Code,
  CONFIRM,
  NAP_MS,
  NO,
  OWNER,
  type Stage,
  whereWorkersDie,
  within,
  YES,
} from "../stage.ts";

const NOBODY = { action: "cancel", answeredBy: "nobody" } as const;

export const asking: Cases = {
  "a job's question can be read through another connection, and the answer reaches the running code": async (stage) => {
    const second = await stage.connect();
    await stage.work({ ask });
    const task = await stage.create({ job: "ask" }, second);
    const asked = await stage.until(task, "INPUT_REQUIRED", ({ status }) => status === "INPUT_REQUIRED", second);
    const [question, ...others] = openQuestions(asked);
    deepStrictEqual([question?.message, question?.schema, others], [CONFIRM.message, CONFIRM.schema, []]);
    deepStrictEqual(openQuestions(await second.get(task.id, OWNER)), [question]);
    await second.answer(task.id, OWNER, { [keyOf(question)]: YES });
    const end = await stage.finished(task, second);
    deepStrictEqual([end.status, end.attempt, openQuestions(end)], ["COMPLETED", 1, []]);
    deepStrictEqual(await second.outcome(task.id, OWNER), { kind: "value", value: YES });
  },

  "two questions at once are answered separately, and the task continues after the last answer": async (stage) => {
    await stage.work({ twice: (_, ctx) => Promise.all([ctx.elicit(CONFIRM), ctx.elicit(CONFIRM)]) });
    const task = await stage.create({ job: "twice" });
    const [first, second] = openQuestions(
      await stage.until(task, "asking twice", (now) => openQuestions(now).length === 2),
    );
    const { task: half } = await stage.backend.answer(task.id, OWNER, { [keyOf(second)]: NO });
    deepStrictEqual([half.status, openQuestions(half)], ["INPUT_REQUIRED", [first]]);
    const { task: whole } = await stage.backend.answer(task.id, OWNER, { [keyOf(first)]: YES });
    deepStrictEqual(openQuestions(whole), []);
    deepStrictEqual(await stage.valueOf(task), [YES, NO]);
  },

  "questions that are asked at once are open in one change, with what each asks": async (stage) => {
    const url = "https://example.com/connect";
    await stage.work({ both: (_, ctx) => ctx.elicit.all([CONFIRM, { message: "Connect it.", url }]) });
    const task = await stage.create({ job: "both" });
    const open = openQuestions(await stage.until(task, "asking", (now) => openQuestions(now).length > 0));
    deepStrictEqual(open.map(({ message, url }) => [message, url]), [[CONFIRM.message, undefined], [
      "Connect it.",
      url,
    ]]);
    await stage.backend.answer(task.id, OWNER, { [keyOf(open[0])]: YES, [keyOf(open[1])]: NOBODY });
    deepStrictEqual(await stage.valueOf(task), [YES, NOBODY]);
  },

  "an answer to an unknown question is ignored, and one from another owner is refused": async (stage) => {
    await stage.work({ ask });
    const task = await stage.create({ job: "ask" });
    const question = await askedBy(stage, task);
    await rejects(stage.backend.answer(task.id, "owner-2", { [question.key]: NO }), TaskNotFound);
    const { task: same, counted } = await stage.backend.answer(task.id, OWNER, { "no such question": NO });
    deepStrictEqual([same.status, openQuestions(same), counted], ["INPUT_REQUIRED", [question], []]);
    const both = { [question.key]: YES, "no such question": NO };
    deepStrictEqual((await stage.backend.answer(task.id, OWNER, both)).counted, [question.key]);
    const end = await stage.finished(task);
    deepStrictEqual(await stage.backend.answer(task.id, OWNER, { [question.key]: NO }), { task: end, counted: [] });
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: YES });
  },

  "if answers arrive at the same moment, one counts, and each caller learns whether it was theirs": async (
    stage,
  ) => {
    const backends = [stage.backend, await stage.connect()];
    await stage.work({ ask });
    for (let round = 0; round < 5; round++) {
      const task = await stage.create({ job: "ask" });
      const { key } = await askedBy(stage, task);
      const given = [YES, NO, YES, NO];
      const replies = await Promise.all(given.map((answer, index) => {
        return backends[index % 2]?.answer(task.id, OWNER, { [key]: answer });
      }));
      const counted = given.filter((_, index) => replies[index]?.counted.includes(key));
      deepStrictEqual(await stage.valueOf(task), counted[0]);
      strictEqual(counted.length, 1);
    }
  },

  "the longest questions and answers leave room for everything else in a task's record": async (stage) => {
    const long = { ...CONFIRM, schema: { type: "object" } };
    const answers = [0.5, "世"].map((item) => longestAnswer(item));
    await stage.work({
      talk: async (_, ctx) => {
        const first = await ctx.elicit({ ...long, message: "世".repeat(MAX_ASKED - MAX_ANSWER - 100) });
        const second = await ctx.elicit({ ...long, message: "世".repeat(MAX_ASKED - 2 * MAX_ANSWER - 200) });
        await ctx.log("世".repeat(1_000));
        return [JSON.stringify([first, second]) === JSON.stringify(answers), "世".repeat(7_900)];
      },
    });
    const task = await stage.create({ job: "talk", input: { text: "世".repeat(7_900) } });
    const asked = new Set<string>();
    for (const answer of answers) {
      const isNew = ({ key }: Question) => !asked.has(key);
      const [question] = openQuestions(
        await stage.until(task, "asking something new", (now) => openQuestions(now).some(isNew)),
      ).filter(isNew);
      asked.add(keyOf(question));
      await stage.backend.answer(task.id, OWNER, { [keyOf(question)]: answer });
    }
    await stage.finished(task);
    const outcome = await stage.backend.outcome(task.id, OWNER);
    deepStrictEqual(outcome, { kind: "value", value: [true, "世".repeat(7_900)] });
  },

  "a job whose time is up while it only waits for an answer is parked, gets the reason, and can clean up": async (
    stage,
  ) => {
    const noted: unknown[] = [];
    const tidied = Promise.withResolvers<void>();
    await stage.work({
      ask: async (_, ctx) => {
        try {
          await ctx.elicit(CONFIRM);
        } catch (error) {
          noted.push(error === ctx.signal.reason, error instanceof TaskParked);
        } finally {
          tidied.resolve();
        }
      },
    });
    const task = await stage.create({ job: "ask", timeout: 200 });
    const { status, attempt } = await stage.parked(task);
    await within(tidied.promise, () => "The code does not stop.");
    deepStrictEqual([status, attempt, noted], ["INPUT_REQUIRED", 1, [true, true]]);
    const end = await stage.backend.cancel(task.id, OWNER, 20_000);
    deepStrictEqual("work" in end && end.work, "stopped");
  },

  "abandoned code cannot ask as part of a later attempt": async (stage) => {
    const late = Promise.withResolvers<void>();
    const refused = Promise.withResolvers<unknown>();
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await stage.work({
      stubborn: async (_, ctx) => {
        if (ctx.attempt === 1) {
          await late.promise;
          return await ctx.elicit(CONFIRM).catch((error) => refused.resolve(error));
        }
        begun.resolve();
        await gate.promise;
      },
    });
    const retry = { attempts: 2, delay: 10, maxDelay: 10 };
    const task = await stage.create({ job: "stubborn", timeout: 1_500, retry });
    await within(begun.promise, () => `Task ${task.id} is not tried again.`);
    late.resolve();
    strictEqual(await refused.promise instanceof Error, true);
    gate.resolve();
    await stage.finished(task);
    deepStrictEqual(stage.events(task).flatMap(openQuestions), []);
  },

  "an answer that arrives while no worker is there is emitted as a change, and the task waits for the next worker":
    async (
      stage,
    ) => {
      const worker = await stage.work({ ask });
      const task = await stage.create({ job: "ask" });
      const { key } = await askedBy(stage, task);
      await worker.close(0);
      const before = await stage.backend.get(task.id, OWNER);
      deepStrictEqual([before.status, openQuestions(before).length], ["INPUT_REQUIRED", 1]);
      const { task: after } = await stage.backend.answer(task.id, OWNER, { [key]: YES });
      deepStrictEqual([after.status, openQuestions(after), after.revision > before.revision], ["PENDING", [], true]);
      await stage.until(task, "answered", ({ revision }) => revision === after.revision);
    },

  "a task that waits for an answer can be cancelled": async (stage) => {
    await stage.work({ ask });
    const task = await stage.create({ job: "ask" });
    await askedBy(stage, task);
    const end = await stage.backend.cancel(task.id, OWNER, 20_000);
    deepStrictEqual([end.status, "work" in end && end.work, openQuestions(end)], ["CANCELLED", "stopped", []]);
  },

  "a task whose worker stops while it asks is parked with its question, and this counts as no hand-back": async (
    stage,
  ) => {
    const task = await stage.create({ job: "ask" });
    for (let time = 1; time <= 7; time++) {
      // One answer is not enough, so the task is parked again.
      const worker = await stage.work({ ask: (_, ctx) => ctx.elicit({ ...CONFIRM, message: `Number ${time}` }) });
      const asked = await stage.until(task, `asking for the ${time}. time`, (now) => {
        return openQuestions(now).some(({ message }) => message === `Number ${time}`);
      });
      await worker.close(0);
      const parked = await stage.backend.get(task.id, OWNER);
      deepStrictEqual([parked.status, "parked" in parked, parked.attempt], ["INPUT_REQUIRED", true, 1]);
      deepStrictEqual(openQuestions(parked), openQuestions(asked));
      await stage.backend.answer(task.id, OWNER, { [keyOf(openQuestions(parked)[0])]: YES });
    }
    await stage.work({ ask: (_, ctx) => ctx.elicit({ ...CONFIRM, message: "Number 7" }) });
    deepStrictEqual(await stage.valueOf(task), YES);
  },

  "a task whose worker is killed while it asks receives the answer that arrived meanwhile": whereWorkersDie(
    async (stage) => {
      const doomed = await stage.startDoomedWorker("ask");
      const task = await stage.create({ job: "ask", input: { ask: true } });
      const question = await askedBy(stage, task);
      await doomed.kill();
      await stage.backend.answer(task.id, OWNER, { [question.key]: YES });
      await stage.work({ ask });
      const end = await stage.finished(task);
      strictEqual(end.status, "COMPLETED");
      ok(end.attempt > 1); // Where the machine stands still, a live worker can lose the task, too.
      deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: YES });
      strictEqual(stage.events(task).every((now) => openQuestions(now).length <= 1), true);
    },
  ),

  "an answer is not used for a different question that a later attempt asks instead": async (stage) => {
    const asking = (price: number): Code => (_, ctx) => ctx.elicit({ ...CONFIRM, message: `Buy it for ${price}?` });
    const worker = await stage.work({ ask: asking(100) });
    const task = await stage.create({ job: "ask" });
    const { key } = await askedBy(stage, task);
    await worker.close(0);
    await stage.backend.answer(task.id, OWNER, { [key]: YES });
    await stage.work({ ask: asking(1_000) });
    const isOther = (question: Question) => question.message === "Buy it for 1000?";
    const asked = await stage.until(task, "asking the other question", (now) => openQuestions(now).some(isOther));
    await stage.backend.answer(task.id, OWNER, { [keyOf(openQuestions(asked).find(isOther))]: NO });
    deepStrictEqual(await stage.valueOf(task), NO);
  },

  "a question that is answered after the next worker has started the task is not asked again": async (stage) => {
    const nap = (ctx: JobContext) => ctx.sleep("nap", NAP_MS);
    let runs = 0;
    // A slow machine may run it again before this worker is closed. Then it says so: no other event may follow its claim.
    const again = (ctx: JobContext) => ctx.progress(0.5).then(() => aborted(ctx.signal));
    const askOnce: Code = (_, ctx) => runs++ === 0 ? Promise.all([ctx.elicit(CONFIRM), nap(ctx)]) : again(ctx);
    const worker = await stage.work({ ask: askOnce }, { parkAfter: 0 });
    const task = await stage.create({ job: "ask" });
    const question = await askedBy(stage, task);
    await stage.until(task, "parked, or running again", (now) => "parked" in now || runs > 1);
    await worker.close(0);
    const [began, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const askLate: Code = async (_, ctx) => {
      began.resolve();
      await answered.promise;
      return await ctx.elicit(CONFIRM);
    };
    await stage.work({ ask: askLate });
    await within(began.promise, () => `No other worker runs task ${task.id}.`);
    const { task: { revision } } = await stage.backend.answer(task.id, OWNER, { [question.key]: YES });
    answered.resolve();
    const end = await stage.finished(task);
    deepStrictEqual([end.status, openQuestions(end)], ["COMPLETED", []]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: YES });
    const later = stage.events(task).filter((now) => now.revision > revision);
    deepStrictEqual(later.flatMap(openQuestions), []);
  },
};

/** Waits until a task asks, and returns what. */
export async function askedBy(stage: Stage, task: TaskInfo): Promise<Question> {
  const asked = await stage.until(task, "INPUT_REQUIRED", ({ status }) => status === "INPUT_REQUIRED");
  const [question] = openQuestions(asked);
  if (question === undefined) throw new Error(`Task ${task.id} is INPUT_REQUIRED and has no open question.`);
  return question;
}

/** An accepted answer that is as long as one may be. */
function longestAnswer(item: Json): Answer {
  const items = Math.floor((MAX_ANSWER + 1 - '{"items":[]}'.length) / (JSON.stringify(item).length + 1));
  return { action: "accept", content: { items: Array(items).fill(item) } };
}

function keyOf(question: Question | undefined): string {
  if (question === undefined) throw new Error("There is no such question.");
  return question.key;
}
