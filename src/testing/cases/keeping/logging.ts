/**
 * Cases: the lines that jobs log are kept with their tasks.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import type { Claim, LogLine } from "../../../backend.ts";
import { TaskExpired, TaskNotFound } from "../../../errors.ts";
import { openQuestions, type TaskInfo } from "../../../task.ts";
import { MAX_BYTES, sizeOf } from "../../../task_log/newest_lines.ts";
import { aborted, AT_ONCE, type Cases, type Code, CONFIRM, eventually, NO, OWNER, type Stage } from "../../stage.ts";

const RETRY = { attempts: 2, delay: 10, maxDelay: 10 };

/** Reads the log of a task. */
async function logOf(stage: Stage, { id }: TaskInfo): Promise<readonly LogLine[]> {
  return await stage.backend.log(id, OWNER);
}

async function textsOf(stage: Stage, task: TaskInfo): Promise<readonly string[]> {
  return (await logOf(stage, task)).map(({ text }) => text);
}

export const logging: Cases = {
  "the lines of a job are read in order, while it runs and after its end, and by its owner alone": async (stage) => {
    const second = await stage.connect();
    const gate = Promise.withResolvers<void>();
    await stage.work({
      tell: async (_, ctx) => {
        await ctx.log("begun");
        await ctx.log("warning", "page 3 is empty:\n世\0");
        await gate.promise;
        await ctx.log("debug", "done");
      },
      quiet: () => "nothing to tell",
    });
    const task = await stage.create({ job: "tell" });
    const logged = await stage.until(task, "logged", ({ logged }) => logged === 2, second);
    strictEqual(logged.message, "page 3 is empty:\n世\0");
    const before = await second.log(task.id, OWNER);
    deepStrictEqual(before.map(({ number, level, text }) => [number, level, text]), [
      [1, "info", "begun"],
      [2, "warning", "page 3 is empty:\n世\0"],
    ]);
    gate.resolve();
    const end = await stage.finished(task);
    strictEqual(end.logged, 3);
    const lines = await logOf(stage, task);
    deepStrictEqual(lines.slice(0, 2), before);
    deepStrictEqual(lines.slice(2).map(({ number, level, text }) => [number, level, text]), [[3, "debug", "done"]]);
    for (const { at } of lines) {
      ok(
        at >= task.createdAt - 1_000 && at <= end.updatedAt + 1_000,
        `A line is of ${at}, its task of ${end.updatedAt}.`,
      );
    }
    await rejects(stage.backend.log(task.id, "owner-2"), TaskNotFound);
    const quiet = await stage.finished(await stage.create({ job: "quiet" }));
    deepStrictEqual([quiet.logged, await logOf(stage, quiet)], [undefined, []]);
  },

  "a line with the level debug is an event, and leaves the message as it is": async (stage) => {
    const gate = Promise.withResolvers<void>();
    await stage.work({
      tell: async (_, ctx) => {
        await ctx.progress(0.5, "half way");
        await ctx.log("debug", "row 17");
        await gate.promise;
      },
    });
    const task = await stage.create({ job: "tell" });
    const logged = await stage.until(task, "logged", ({ logged }) => logged === 1);
    deepStrictEqual([logged.progress, logged.message], [0.5, "half way"]);
    gate.resolve();
    await stage.finished(task);
  },

  "the lines of all attempts, and of runs before and after the task was parked, are kept in order": async (stage) => {
    await stage.work({
      tell: async (_, ctx) => {
        void ctx.log(`attempt ${ctx.attempt}`);
        if (ctx.attempt === 1) throw new Error("not today");
        void ctx.log("debug", "asks");
        const { action } = await ctx.elicit(CONFIRM);
        void ctx.log(action);
      },
    }, { parkAfter: 0 });
    const task = await stage.create({ job: "tell", retry: RETRY });
    const parked = await stage.parked(task);
    deepStrictEqual(await textsOf(stage, task), ["attempt 1", "attempt 2", "asks"]);
    await stage.answer(parked, NO);
    await stage.finished(task);
    const lines = await logOf(stage, task);
    const texts = ["attempt 1", "attempt 2", "asks", "decline"];
    deepStrictEqual(lines.map(({ number, text }) => [number, text]), texts.map((text, index) => [index + 1, text]));
  },

  "a run after the answer to a question neither reports nor logs again what led to it, and shows where it was": async (
    stage,
  ) => {
    const gate = Promise.withResolvers<void>();
    await stage.work({
      tell: async (_, ctx) => {
        await ctx.progress(0.25, "collecting");
        await ctx.log("debug", "collected");
        await ctx.step("add up", () => ctx.log("debug", "added up"));
        await ctx.progress(0.5);
        await ctx.log("asks");
        const { action } = await ctx.elicit(CONFIRM);
        await ctx.step("publish", () => gate.promise);
        await ctx.progress(0.75);
        await ctx.log("debug", action);
        await ctx.sleep("nap", 200);
        await ctx.log("debug", "rested");
      },
    }, AT_ONCE);
    const task = await stage.create({ job: "tell" });
    const answered = await stage.answer(await stage.parked(task), NO);
    await stage.until(task, "where it was", ({ revision, status, progress, message }) => {
      return revision > answered.revision && status === "RUNNING" && progress === 0.5 && message === "asks";
    });
    gate.resolve();
    await stage.valueOf(task);
    const later = stage.events(task).filter(({ revision }) => revision > answered.revision);
    strictEqual(later.some(({ progress, message }) => progress === 0.25 || message === "collecting"), false);
    deepStrictEqual(await textsOf(stage, task), ["collected", "added up", "asks", "decline", "rested"]);
  },

  "a later attempt logs again what follows the last recorded step, and nothing that comes before it": async (stage) => {
    await stage.work({
      tell: async (_, ctx) => {
        for (const name of ["a", "b"]) {
          void ctx.log(`before ${name}`);
          await ctx.step(name, () => ctx.step("inner", () => void ctx.log(name)));
        }
        void ctx.log("after b");
        await ctx.step("c", () => {
          void ctx.log("c");
          if (ctx.attempt === 1) throw new Error("not today");
        });
      },
    });
    const task = await stage.create({ job: "tell", retry: RETRY });
    await stage.valueOf(task);
    deepStrictEqual(
      await textsOf(stage, task),
      ["before a", "a", "before b", "b", "after b", "c", "after b", "c"],
    );
  },

  "a run whose code asks another question than before reports and logs from there on": async (stage) => {
    const asking = (message: string): Code => async (_, ctx) => {
      await ctx.progress(0.5, "counting");
      await ctx.log("debug", `will ask: ${message}`);
      await ctx.elicit({ ...CONFIRM, message });
      await ctx.log("debug", "has asked");
      if (ctx.attempt === 1) throw new Error("not today");
    };
    const worker = await stage.work({ tell: asking("For 10?") }, AT_ONCE);
    const task = await stage.create({ job: "tell", retry: RETRY });
    const parked = await stage.parked(task);
    await worker.close(0);
    await stage.answer(parked, NO);
    const asks12 = await stage.work({ tell: asking("For 12?") }, AT_ONCE);
    const again = await stage.until(task, "asking again", (now) => {
      return "parked" in now && openQuestions(now).some(({ message }) => message === "For 12?");
    });
    deepStrictEqual([again.progress, again.message], [0.5, "counting"]);
    await stage.answer(again, NO);
    await stage.valueOf(task);
    await asks12.close();
    deepStrictEqual(
      await textsOf(stage, task),
      ["will ask: For 10?", "will ask: For 12?", "has asked", "has asked"],
    );
  },

  "of a burst of lines that follows a stored one the last 200 are kept": async (stage) => {
    await stage.work({
      burst: async (_, ctx) => {
        await ctx.log("begun");
        for (let line = 2; line <= 300; line++) void ctx.log(`line ${line}`);
      },
    });
    const task = await stage.create({ job: "burst" });
    await stage.finished(task);
    deepStrictEqual(
      (await logOf(stage, task)).map(({ number, text }) => [number, text]),
      Array.from({ length: 200 }, (_, index) => [101 + index, `line ${101 + index}`]),
    );
  },

  "of 10,000 lines at once the last 200 are kept, with few changes of the task": async (stage) => {
    await stage.work({
      flood: (_, ctx) => {
        for (let line = 1; line <= 10_000; line++) void ctx.log(`line ${line}`);
      },
    });
    const task = await stage.create({ job: "flood" });
    const end = await stage.finished(task);
    strictEqual(end.logged, 10_000);
    const lines = await logOf(stage, task);
    deepStrictEqual(
      lines.map(({ number, text }) => [number, text]),
      Array.from({ length: 200 }, (_, index) => [9_801 + index, `line ${9_801 + index}`]),
    );
    ok(stage.events(task).length < 20, `The task has changed ${stage.events(task).length} times.`);
  },

  "lines that come one by one are kept like those that come at once: the last 200, and at most 64 KiB": async (
    stage,
  ) => {
    await stage.work({
      lines: async (_, ctx) => {
        for (let line = 1; line <= 450; line++) await ctx.log("debug", `line ${line}`);
      },
      text: async (_, ctx) => {
        for (let line = 1; line <= 100; line++) {
          await ctx.log("debug", `${line} ${line % 2 ? "世".repeat(500) : "-".repeat(900)}`);
        }
      },
    });
    const [many, long] = [await stage.create({ job: "lines" }), await stage.create({ job: "text" })];
    strictEqual((await stage.finished(many)).logged, 450);
    const numbers = Array.from({ length: 200 }, (_, index) => 251 + index);
    deepStrictEqual((await logOf(stage, many)).map(({ number }) => number), numbers);
    await stage.finished(long);
    const lines = await logOf(stage, long);
    const bytes = lines.reduce((sum, line) => sum + sizeOf(line), 0);
    ok(bytes <= MAX_BYTES && bytes > MAX_BYTES - 1_600, `${lines.length} lines of ${bytes} bytes are kept.`);
    deepStrictEqual(lines.map(({ number }) => number), lines.map((_, index) => 101 - lines.length + index));
  },

  "a line that is too long is cut, and its text is well formed": async (stage) => {
    await stage.work({ tell: (_, ctx) => void ctx.log("\ud800" + "世".repeat(100_000)) });
    const task = await stage.finished(await stage.create({ job: "tell" }));
    deepStrictEqual(await textsOf(stage, task), ["\ufffd" + "世".repeat(3_999) + "…"]);
  },

  "the last lines are there when the job has returned, failed, stopped, or was handed back": async (stage) => {
    const job = async (how: string, ctx: { log(text: string): Promise<void>; readonly signal: AbortSignal }) => {
      if (how === "return" || how === "throw") {
        for (let line = 1; line <= 3; line++) void ctx.log(`${how} ${line}`);
        if (how === "throw") throw new Error("not today");
      } else {
        await ctx.log("waits");
        await aborted(ctx.signal).catch(() => void ctx.log("cleans up"));
        ctx.signal.throwIfAborted();
      }
    };
    const worker = await stage.work({ tell: ({ how }, ctx) => job(String(how), ctx) });
    for (const how of ["return", "throw"]) {
      const task = await stage.create({ job: "tell", input: { how } });
      await stage.finished(task);
      deepStrictEqual(await textsOf(stage, task), [1, 2, 3].map((line) => `${how} ${line}`));
    }
    const [cancelled, handedBack] = [await stage.create({ job: "tell" }), await stage.create({ job: "tell" })];
    for (const task of [cancelled, handedBack]) await stage.until(task, "logged", ({ logged }) => logged === 1);
    await stage.backend.cancel(cancelled.id, OWNER, 60_000);
    await worker.close(0);
    await stage.until(handedBack, "handed back", ({ status, logged }) => status === "PENDING" && logged === 2);
    for (const task of [cancelled, handedBack]) deepStrictEqual(await textsOf(stage, task), ["waits", "cleans up"]);
  },

  "lines logged after the code has ended, or by a worker that no longer holds the task, are not stored": async (
    stage,
  ) => {
    const claims = [Promise.withResolvers<Claim>(), Promise.withResolvers<Claim>()];
    const taken = claims.values();
    const gate = Promise.withResolvers<void>();
    await stage.take("tell", async (claim) => {
      await claim.log({ at: claim.now(), level: "info", text: "begun" });
      taken.next().value?.resolve(claim);
      await gate.promise;
      return { kind: "value", value: null };
    });
    const cancelled = await stage.create({ job: "tell" });
    const first = await claims[0]?.promise;
    await stage.backend.cancel(cancelled.id, OWNER, 0);
    await first?.log({ at: 0, level: "info", text: "too late" });
    deepStrictEqual(await textsOf(stage, cancelled), ["begun"]);
    const ended = await stage.create({ job: "tell" });
    const second = await claims[1]?.promise;
    gate.resolve();
    strictEqual((await stage.finished(ended)).logged, 1);
    await second?.log({ at: 0, level: "info", text: "too late" });
    for (const task of [cancelled, ended]) deepStrictEqual(await textsOf(stage, task), ["begun"]);
  },

  "a log is kept as long as its task": async (stage) => {
    await stage.work({ tell: (_, ctx) => void ctx.log("begun") });
    const task = await stage.finished(await stage.create({ job: "tell", resultTtl: 50 }));
    await eventually("the task has expired", async () => {
      return await logOf(stage, task).then(() => false, (error) => error instanceof TaskExpired);
    });
  },
};
