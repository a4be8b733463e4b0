/**
 * How `/healthz` checks a backend, and how often.
 *
 * @module
 */
import { BackendError } from "../../mod.ts";
import { Health } from "../../src/server/health.ts";
import { Unavailable } from "../../src/errors.ts";
import { ignored } from "../support/errors.ts";
import { assertEquals, assertRejects, FakeTime } from "../../tools/std.ts";

Deno.test("a backend is checked once in 5 s, however many requests there are, and all share the result", async () => {
  let [checks, now, fails] = [0, 0, false];
  const check = () => {
    checks++;
    return fails ? Promise.reject(new BackendError("disk full")) : Promise.resolve();
  };
  const health = new Health({ check }, ignored, () => now);
  await Promise.all(Array.from({ length: 100 }, () => health.check()));
  now = 4_999;
  await health.check();
  assertEquals(checks, 1);
  [now, fails] = [5_000, true];
  await Promise.all(
    [health.check(), health.check()].map((ask) => assertRejects(() => ask, Unavailable, "takes no tasks")),
  );
  now = 9_999;
  await assertRejects(() => health.check(), Unavailable, "takes no tasks");
  assertEquals(checks, 2);
  [now, fails] = [10_000, false];
  await health.check();
  assertEquals(checks, 3);
});

Deno.test("a backend that does not answer in time counts as unavailable, and is not checked again before it answers", async () => {
  using time = new FakeTime(0);
  const checks: PromiseWithResolvers<void>[] = [];
  const check = () => {
    const next = Promise.withResolvers<void>();
    checks.push(next);
    return next.promise;
  };
  const health = new Health({ check }, ignored, () => time.now);
  for (let asked = 1; asked <= 2; asked++) {
    const silent = assertRejects(() => health.check(), Unavailable, "The backend does not answer.");
    time.tick(5_000);
    await silent;
  }
  assertEquals(checks.length, 1);
  checks[0]?.reject(new BackendError("it has ended at last"));
  await assertRejects(() => checks[0]?.promise ?? Promise.resolve(), BackendError);
  const healthy = health.check();
  assertEquals([checks.length, time.now], [2, 10_000]);
  checks[1]?.resolve();
  await healthy;
});

Deno.test("the error of a check that throws has a public message", async () => {
  const check = () => {
    throw new TypeError("secret-host");
  };
  await assertRejects(() => new Health({ check }, ignored).check(), Unavailable, "The backend takes no tasks.");
});
