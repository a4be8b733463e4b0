import { Recurring } from "../../../src/backends/shared/recurring.ts";
import { pause } from "../../../src/waiting.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals } from "../../../tools/std.ts";

Deno.test("recurring work goes on after an error, and never runs twice at a time", async () => {
  let [runs, atOnce, most] = [0, 0, 0];
  const enough = Promise.withResolvers<void>();
  const act = async () => {
    most = Math.max(most, ++atOnce);
    await pause(0);
    atOnce--;
    if (++runs === 3) enough.resolve();
    if (runs === 1) throw new Error("It fails.");
  };
  await using _recurring = new Recurring("test recurring work", act, ignored, { every: 1 });
  await enough.promise;
  assertEquals(most, 1);
});

Deno.test("recurring work that is closed ends the run under way, and starts no other", async () => {
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const order: string[] = [];
  const recurring = new Recurring(
    "test recurring work",
    async () => {
      begun.resolve();
      await end.promise;
      order.push("run");
    },
    ignored,
    { every: 1 },
  );
  await begun.promise;
  const closed = recurring[Symbol.asyncDispose]().then(() => order.push("closed"));
  end.resolve();
  await closed;
  assertEquals(order, ["run", "closed"]);
});

Deno.test("recurring work is repeated sooner until it has succeeded, and then at its usual interval", async () => {
  const HOUR = 3_600_000;
  const soon = { every: HOUR, first: 0, retry: 1 };
  const usual = { every: 1, first: 0, retry: HOUR };
  for (const { pace, fails } of [{ pace: soon, fails: true }, { pace: usual, fails: false }]) {
    const repeated = Promise.withResolvers<void>();
    let runs = 0;
    const act = async () => {
      if (++runs === 2) repeated.resolve();
      if (fails) await Promise.reject(new Error("It fails."));
    };
    await using _recurring = new Recurring("test recurring work", act, ignored, pace);
    await repeated.promise;
  }
});
