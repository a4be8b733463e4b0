import { getEventListeners } from "node:events";
import { doneWithin, onAbort, pause, tryAgain, unlessAborted, whenAborted } from "../src/waiting.ts";
import { assertEquals, assertRejects } from "../tools/std.ts";

const never = new Promise<never>(() => {});
const reason = new Error("enough");

Deno.test("doneWithin says whether something is done in time", async () => {
  assertEquals(await doneWithin(Promise.resolve("done"), 60_000), true);
  assertEquals(await doneWithin(never, 0), false);
  await assertRejects(() => doneWithin(Promise.reject(reason), 60_000), Error, "enough");
});

Deno.test("unlessAborted settles as its promise does while the signal has not aborted", async () => {
  const { signal } = new AbortController();
  assertEquals(await unlessAborted(Promise.resolve("done"), signal), "done");
  await assertRejects(() => unlessAborted(Promise.reject(new TypeError("no")), signal), TypeError, "no");
});

Deno.test("unlessAborted rejects with the signal's reason, also if it aborted before", async () => {
  const controller = new AbortController();
  const waiting = unlessAborted(never, controller.signal);
  controller.abort(reason);
  assertEquals(await waiting.catch((error) => error), reason);
  assertEquals(await unlessAborted(never, controller.signal).catch((error) => error), reason);
});

Deno.test("whenAborted resolves when the signal aborts, also if it aborted before", async () => {
  const controller = new AbortController();
  const waiting = whenAborted(controller.signal);
  controller.abort(reason);
  await waiting;
  await whenAborted(controller.signal);
});

Deno.test("a pause ends after its time, or with its signal, and leaves no timer behind", async () => {
  await pause(0);
  const controller = new AbortController();
  const pausing = pause(60_000, controller.signal);
  controller.abort(reason);
  await pausing;
  await pause(60_000, controller.signal);
  await pause(0, new AbortController().signal);
});

Deno.test("tryAgain repeats a failing operation after each pause, until it succeeds or nothing is left to do", async () => {
  let tries = 0;
  const failing = (times: number) => {
    tries = 0;
    return () => ++tries <= times ? Promise.reject(reason) : Promise.resolve();
  };
  const isOver = (error: unknown) => error !== reason;
  const last: unknown[] = [];
  const failed = (error: unknown) => void last.push(error);
  assertEquals([await tryAgain(failing(2), isOver, failed, [0, 0]), tries], [true, 3]);
  assertEquals(last, []);
  assertEquals([await tryAgain(failing(3), isOver, failed, [0, 0]), tries], [false, 3]);
  assertEquals(last, [reason]);
  assertEquals([await tryAgain(failing(9), () => true, failed, [0, 0]), tries], [true, 1]);
  assertEquals(last, [reason]);
});

Deno.test("onAbort calls everything that is wanted with one listener, which goes with the last", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const called: string[] = [];
  const forget = ["a", "b", "c"].map((name) => onAbort(signal, () => called.push(name)));
  assertEquals(getEventListeners(signal, "abort").length, 1);
  forget.forEach((each) => each());
  assertEquals(getEventListeners(signal, "abort").length, 0);
  onAbort(signal, () => called.push("d"));
  forget[0]?.(); // Once more.
  controller.abort();
  assertEquals(called, ["d"]);
});
