import { Deadline } from "../../../src/backends/shared/deadline.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const never = new Promise<never>(() => {});

/** Lets nothing else in this process go on for so many ms. */
function keepBusy(ms: number): void {
  for (const start = performance.now(); performance.now() - start < ms;);
}

Deno.test("late answers are given up in order, and no timer is left", async () => {
  const deadline = new Deadline("it has not come", 30);
  const ended: string[] = [];
  const wait = async (name: string, answer: Promise<string>) => {
    const came = await deadline.wait(answer).catch((error: Error) => error.message);
    ended.push(`${name}: ${came}`);
  };
  const answered = wait("early", Promise.resolve("here"));
  const first = wait("first", never);
  await answered;
  await Promise.all([first, wait("second", never)]);
  assertEquals(ended, ["early: here", "first: it has not come", "second: it has not come"]);
});

Deno.test("an answer that arrived while the process was busy counts, although its time is up", async () => {
  const deadline = new Deadline("it has not come", 5);
  const { promise, resolve } = Promise.withResolvers<string>();
  const met = deadline.wait(promise);
  // Like Redis's answers, it is handled after the timers.
  setTimeout(() => setTimeout(() => resolve("here"), 1), 1);
  keepBusy(20);
  assertEquals(await met, "here");
});

Deno.test("time in which the process could not run does not count: Redis may have had none, either", async () => {
  const deadline = new Deadline("it has not come", 400);
  const { promise, resolve } = Promise.withResolvers<string>();
  const met = deadline.wait(promise);
  keepBusy(600);
  setTimeout(() => resolve("here"), 100);
  assertEquals(await met, "here");
});

Deno.test("an answer that rejects passes on its error", async () => {
  await assertRejects(
    () => new Deadline("it has not come", 1_000).wait(Promise.reject(new Error("refused"))),
    Error,
    "refused",
  );
});

Deno.test("a large request has more time, and so has one that was sent after it", async () => {
  const deadline = new Deadline("it has not come", 10);
  const { promise, resolve } = Promise.withResolvers<string>();
  const [large, behind] = [deadline.wait(promise, 1e9), deadline.wait(promise)];
  // Meanwhile an answer with its own deadline is given up.
  await assertRejects(() => new Deadline("it has not come", 10).wait(never), Error, "it has not come");
  resolve("here");
  assertEquals(await Promise.all([large, behind]), ["here", "here"]);
});
