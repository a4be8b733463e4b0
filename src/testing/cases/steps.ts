/**
 * Cases: what a job does in steps is recorded, and later runs of its task do not repeat it.
 *
 * @module
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { type Json, openQuestions } from "../../task.ts";
import { MAX_STEP_BYTES } from "../../steps/steps.ts";
import { AT_ONCE, type Cases, type Code, CONFIRM, NO, OWNER, whereWorkersDie, within } from "../stage.ts";

const RETRY = { attempts: 2, delay: 10, maxDelay: 10 };

export const steps: Cases = {
  "a step that is recorded does not run in a later attempt, which gets its result": async (stage) => {
    const ran: string[] = [];
    await stage.work({
      work: async (_, ctx) => {
        const first = await ctx.step("first", () => {
          ran.push(`first ${ctx.attempt}`);
          return { made: [1, "世", null] };
        });
        const second = await ctx.step("second", () => {
          ran.push(`second ${ctx.attempt}`);
          if (ctx.attempt === 1) throw new Error("not today");
        });
        return [first, second];
      },
    });
    const value = await stage.valueOf(await stage.create({ job: "work", retry: RETRY }));
    deepStrictEqual(value, [{ made: [1, "世", null] }, null]);
    deepStrictEqual(ran, ["first 1", "second 1", "second 2"]);
  },

  "a task that was parked continues with its recorded steps": async (stage) => {
    const ran: string[] = [];
    const note = (what: string) => () => ran.push(what);
    await stage.work({
      work: async (_, ctx) => {
        await ctx.step("before", note("before"));
        const answer = await ctx.elicit(CONFIRM);
        await ctx.step("after", note("after"));
        await ctx.sleep("nap", 300);
        await ctx.step("at last", note("at last"));
        return answer.action;
      },
    }, AT_ONCE);
    const task = await stage.create({ job: "work" });
    await stage.answer(await stage.parked(task), NO);
    strictEqual(await stage.valueOf(task), "decline");
    deepStrictEqual(ran, ["before", "after", "at last"]);
  },

  "code that catches the error of a step may go on in another way when that succeeds in a later run": async (stage) => {
    const ran: string[] = [];
    const note = (name: string) => () => ran.push(name);
    await stage.work({
      work: async (_, ctx) => {
        const down = () => {
          throw new Error("down");
        };
        await ctx.step("first choice", ran.length === 0 ? down : note("first choice"))
          .catch(() => ctx.step("second choice", note("second choice")));
        if (ctx.attempt === 1) throw new Error("not today");
        await ctx.step("tell", note("tell"));
        if (ctx.attempt === 2) throw new Error("nor today");
      },
    });
    await stage.valueOf(await stage.create({ job: "work", retry: { ...RETRY, attempts: 3 } }));
    deepStrictEqual(ran, ["second choice", "first choice", "tell"]);
  },

  "steps of one name are numbered, and each has the same idempotency key in every run": async (stage) => {
    const keys: string[] = [];
    await stage.work({
      work: async (_, ctx) => {
        for (const name of ["charge", "mail", "charge"]) {
          await ctx.step(name, ({ idempotencyKey }) => {
            keys.push(idempotencyKey);
            if (ctx.attempt === 1 && keys.length === 3) throw new Error("not today");
          });
        }
      },
    });
    const task = await stage.create({ job: "work", retry: RETRY });
    await stage.valueOf(task);
    deepStrictEqual(keys, ["charge", "mail", "charge#2", "charge#2"].map((step) => `${task.id}:${step}`));
  },

  "steps that run at the same time are recorded, whichever ends first": async (stage) => {
    const ran: string[] = [];
    await stage.work({
      work: async (_, ctx) => {
        const names = ctx.attempt === 1 ? ["a", "b", "c"] : ["c", "b", "a"];
        const both = names.map((name) => ctx.step(name, () => (ran.push(name), name)));
        const values = await Promise.all(both);
        if (ctx.attempt === 1) throw new Error("not today");
        return values;
      },
    });
    const task = await stage.create({ job: "work", retry: RETRY });
    const end = await stage.finished(task);
    // The first step began alone, so its place is compared.
    deepStrictEqual([end.status, ran], ["FAILED", ["a", "b", "c"]]);
  },

  "ctx.now and ctx.random give every run of a task the same": async (stage) => {
    const runs: Json[] = [];
    await stage.work({
      work: async (_, ctx) => {
        runs.push([await ctx.now(), await ctx.random(), await ctx.now(), await ctx.random()]);
        if (ctx.attempt === 1) throw new Error("not today");
      },
    });
    const task = await stage.create({ job: "work", retry: RETRY });
    await stage.valueOf(task);
    deepStrictEqual(runs[0], runs[1]);
    const [now, random, later, other] = Object.values(runs[0] ?? {}).map(Number);
    ok(Number(now) >= task.createdAt - 1_000 && Number(later) >= Number(now), `The times are ${now} and ${later}.`);
    ok(Number(random) >= 0 && Number(random) < 1 && random !== other, `The numbers are ${random} and ${other}.`);
  },

  "a task whose code calls other steps than were recorded fails, and names both steps": async (stage) => {
    const ran: string[] = [];
    const working = (name: string): Code => async (_, ctx) => {
      await ctx.step("reserve", () => ran.push("reserve"));
      // Even code that catches the error cannot go on.
      await ctx.step(name, () => ran.push(name)).catch(() => {});
      await ctx.elicit(CONFIRM);
    };
    const worker = await stage.work({ work: working("charge") }, AT_ONCE);
    const task = await stage.create({ job: "work", retry: RETRY });
    const parked = await stage.parked(task);
    await worker.close(0);
    await stage.work({ work: working("refund") }, AT_ONCE);
    await stage.answer(parked, NO);
    const end = await stage.finished(task);
    deepStrictEqual([end.status, "failure" in end && end.failure], ["FAILED", "fault"]);
    match(end.message ?? "", /step 2 was recorded as "charge", and the code now calls "refund"/);
    deepStrictEqual(ran, ["reserve", "charge"]);
  },

  'with onStepMismatch "rerun" the steps from there on run again, and the old ones are forgotten': async (stage) => {
    const ran: string[] = [];
    const working = (names: readonly string[], then: readonly string[] = []): Code => async (_, ctx) => {
      for (const name of names) await ctx.step(name, () => ran.push(name));
      await ctx.elicit({ ...CONFIRM, message: `Are you sure of ${names.join()}?` });
      for (const name of then) await ctx.step(name, () => ran.push(name));
      if (ctx.attempt === 1) throw new Error("not today");
    };
    const rerun = { ...AT_ONCE, onStepMismatch: "rerun" } as const;
    const worker = await stage.work({ work: working(["a", "b", "c"]) }, rerun);
    const task = await stage.create({ job: "work", retry: RETRY });
    const parked = await stage.parked(task);
    await worker.close(0);
    await stage.answer(parked, NO);
    await stage.work({ work: working(["a", "x"], ["c", "b"]) }, rerun);
    const again = await stage.until(task, "asking again", (now) => {
      return "parked" in now && openQuestions(now).some(({ message }) => message.includes("a,x?"));
    });
    await stage.answer(again, NO);
    await stage.valueOf(task);
    deepStrictEqual(ran, ["a", "b", "c", "x", "c", "b"]);
  },

  "the largest results of steps are read back as they were, and a larger one fails the task": async (stage) => {
    const texts = [
      "x".repeat(MAX_STEP_BYTES - 2),
      "世".repeat(Math.floor((MAX_STEP_BYTES - 2) / 3)),
      '"'.repeat(30_000),
    ];
    await stage.work({
      large: async (_, ctx) => {
        const read = [];
        for (const text of texts) read.push(await ctx.step("large", () => text));
        if (ctx.attempt === 1) throw new Error("not today");
        return read.every((text, index) => text === texts[index]);
      },
      larger: (_, ctx) => ctx.step("larger", () => "x".repeat(MAX_STEP_BYTES)),
      wider: (_, ctx) => ctx.step("wider", () => "世".repeat(MAX_STEP_BYTES / 2)),
    });
    strictEqual(await stage.valueOf(await stage.create({ job: "large", retry: RETRY })), true);
    const end = await stage.finished(await stage.create({ job: "larger", retry: RETRY }));
    deepStrictEqual([end.status, end.attempt, "failure" in end && end.failure], ["FAILED", 1, "tool_error"]);
    match(end.message ?? "", /"larger": it has 262146 bytes as JSON, and 262144 is the most/);
    const wider = await stage.finished(await stage.create({ job: "wider", retry: RETRY }));
    match(wider.message ?? "", /"wider": it has 393218 bytes as JSON/);
  },

  "a task has at most 200 steps": async (stage) => {
    let ran = 0;
    await stage.work({
      many: async (_, ctx) => {
        for (let i = 0; i <= 200; i++) await ctx.step("one of many", () => ran++);
      },
    });
    const end = await stage.finished(await stage.create({ job: "many", retry: RETRY }));
    deepStrictEqual([end.status, end.attempt, ran], ["FAILED", 1, 200]);
    match(end.message ?? "", /"one of many#201": a task has at most 200 steps/);
  },

  "a step that cannot be recorded fails its task with the reason": async (stage) => {
    await stage.work({
      hollow: (_, ctx) => ctx.step("hollow", () => () => {}),
      codeless: (_, ctx) => ctx.step("codeless", undefined as never),
      inside: (_, ctx) => ctx.step("pay", () => ctx.step("ask", () => ctx.step("pay", () => 1))),
      unnamed: (_, ctx) => ctx.step("", () => 1),
      hash: (_, ctx) => ctx.step("a#2", () => 1),
      endless: (_, ctx) => ctx.sleep("endless", Infinity),
      dateless: (_, ctx) => ctx.until("dateless", new Date("no date")),
      timeless: (_, ctx) => ctx.until("timeless", JSON.parse("null")),
      quoted: (_, ctx) => ctx.sleep("quoted", JSON.parse('"100"')),
      written: (_, ctx) => ctx.until("written", JSON.parse('"2030-01-01"')),
    });
    const reasons: [string, RegExp][] = [
      ["hollow", /Cannot record the result of the step "hollow": it is a function, which is not JSON/],
      ["codeless", /Cannot run the step "codeless": pass a function/],
      ["inside", /Cannot run the step "pay" inside a step of the same name/],
      ["unnamed", /Cannot use "" as the name of a step/],
      ["hash", /Cannot use "a#2" as the name of a step/],
      ["endless", /Cannot sleep in "endless" for Infinity: pass a number of ms/],
      ["dateless", /Cannot wait in "dateless" until Invalid Date/],
      ["timeless", /Cannot wait in "timeless" until null/],
      ["quoted", /Cannot sleep in "quoted" for "100": pass a number of ms/],
      ["written", /Cannot wait in "written" until "2030-01-01": pass a Date/],
    ];
    for (const [job, reason] of reasons) {
      const end = await stage.finished(await stage.create({ job, retry: RETRY }));
      deepStrictEqual([end.status, end.attempt], ["FAILED", 1]);
      match(end.message ?? "", reason);
    }
  },

  "a step after the end of its attempt is refused, and does not run": async (stage) => {
    const late = Promise.withResolvers<unknown>();
    let ran = false;
    const ended = Promise.withResolvers<void>();
    await stage.work({
      hasty: (_, ctx) => {
        void ended.promise.then(() => ctx.step("late", () => ran = true)).catch(late.resolve);
        return "done";
      },
    });
    strictEqual(await stage.valueOf(await stage.create({ job: "hasty" })), "done");
    ended.resolve();
    match(
      String(await within(late.promise, () => "The step is not refused.")),
      /Cannot run the step "late": the attempt is over/,
    );
    strictEqual(ran, false);
  },

  "steps inside a step are recorded, and are not compared with those beside it": async (stage) => {
    const ran: string[] = [];
    await stage.work({
      work: async (_, ctx) => {
        const outer = ctx.step("outer", async () => {
          const inner = await ctx.step("inner", () => ran.push("inner"));
          ran.push("outer");
          if (ctx.attempt === 1) throw new Error("not today");
          return inner;
        });
        await outer;
        await ctx.step("inner", () => ran.push("another inner"));
        if (ctx.attempt === 2) throw new Error("nor today");
      },
    });
    await stage.valueOf(await stage.create({ job: "work", retry: { ...RETRY, attempts: 3 } }));
    deepStrictEqual(ran, ["inner", "outer", "outer", "another inner"]);
  },

  "a job that the step of another one starts has steps of its own, whatever their names": async (stage) => {
    const ran: string[] = [];
    await stage.work({
      outer: (_, ctx) =>
        ctx.step("work", async () => stage.valueOf(await stage.create({ job: "inner", retry: RETRY }))),
      inner: async (_, ctx) => {
        await ctx.step("work", () => ran.push(`attempt ${ctx.attempt}`));
        if (ctx.attempt === 1) throw new Error("not today");
        return "done";
      },
    });
    strictEqual(await stage.valueOf(await stage.create({ job: "outer" })), "done");
    deepStrictEqual(ran, ["attempt 1"]);
  },

  "a step that a killed worker has recorded is not run again": whereWorkersDie(async (stage) => {
    const doomed = await stage.startDoomedWorker("work");
    const task = await stage.create({ job: "work", input: { step: true, ask: true } });
    await stage.until(task, "INPUT_REQUIRED", ({ status }) => status === "INPUT_REQUIRED");
    await doomed.kill();
    let ran = false;
    await stage.work({ work: (_, ctx) => ctx.step("first", () => ran = true) });
    strictEqual(await stage.valueOf(task), "recorded before the worker died");
    strictEqual(ran, false);
    // Here, because a process is costly: it has logged, too.
    const log = await stage.backend.log(task.id, OWNER);
    deepStrictEqual(log.map(({ text }) => text), ["logged before the worker died"]);
  }),
};
