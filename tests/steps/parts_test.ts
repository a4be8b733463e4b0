/**
 * Parts of a job that run at the same time, and their recorded steps.
 *
 * @module
 */
import { assertEquals, assertMatch } from "../../tools/std.ts";
import { defineJob, type JobContext } from "../../mod.ts";
import { runOnce } from "../support/attempts.ts";

const input = { type: "object" } as const;

const gate = () => Promise.withResolvers<void>();

/** Runs two parts of a job at the same time, in two attempts: their steps come in another order in the second. */
async function inParts(around: (name: string, ctx: JobContext, part: () => Promise<unknown>) => Promise<unknown>) {
  const ran: string[] = [];
  const { outcome } = await runOnce(
    defineJob({
      name: "parts",
      input,
      run: async (_, ctx) => {
        const [first, second, all] = [gate(), gate(), gate()];
        const end = async () => {
          if (ctx.attempt > 1) return;
          await all.promise; // All is recorded by then but what is around it.
          throw new Error("not today");
        };
        const step = (name: string) => ctx.step(name, () => void ran.push(name));
        const one = async () => {
          await step("one");
          first.resolve();
          if (ctx.attempt === 1) await second.promise;
          await step("one, too");
          if (ctx.attempt > 1) second.resolve();
          all.resolve();
          await end();
        };
        const other = async () => {
          await (ctx.attempt === 1 ? first : second).promise;
          await step("other");
          if (ctx.attempt === 1) second.resolve();
          await end();
        };
        await Promise.all([around("left", ctx, one), around("right", ctx, other)]);
        return "done";
      },
    }),
    { policy: { attempts: 2 } },
  );
  return { outcome, ran };
}

Deno.test("parallel parts of a job find their recorded steps if each part is a step of its own, whichever is faster later", async () => {
  const apart = await inParts((name, ctx, part) => ctx.step(name, async () => void await part()));
  assertEquals([apart.outcome, apart.ran], [{ kind: "value", value: "done" }, ["one", "other", "one, too"]]);
});

Deno.test("parts whose steps never overlap look like changed code, and the fault says what to do", async () => {
  const { outcome } = await inParts((_name, _ctx, part) => part());
  const message = outcome.kind === "fault" ? outcome.message : outcome.kind;
  assertMatch(message, /its step 2 was recorded as "other", and the code now calls "one, too" there\./);
  assertMatch(message, /If parts of it run at the same time, put each part into a step of its own\.$/);
});
