import { batched, type BatchOptions } from "../../../src/backends/shared/batch.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

/** A function whose batches are answered when the test says so. */
function counted(max: number, options: BatchOptions = {}, sizeOf?: (input: number) => number) {
  const batches: { readonly inputs: readonly number[]; readonly answer: PromiseWithResolvers<readonly number[]> }[] =
    [];
  let begun = Promise.withResolvers<void>();
  const call = batched<number, number>(
    (inputs) => {
      const answer = Promise.withResolvers<readonly number[]>();
      batches.push({ inputs, answer });
      begun.resolve();
      begun = Promise.withResolvers();
      return answer.promise;
    },
    max,
    options,
    sizeOf,
  );
  /** Waits for the next batch. */
  const next = () => begun.promise;
  return { batches, call, next };
}

Deno.test("calls of the same tick form one batch, and those made while it is under way form the next", async () => {
  const { batches, call, next } = counted(10);
  const first = [call(1), call(2)];
  await next();
  const second = [call(3), call(4)];
  assertEquals(batches.map(({ inputs }) => inputs), [[1, 2]]);
  batches[0]?.answer.resolve([10, 20]);
  await next();
  assertEquals(batches.map(({ inputs }) => inputs), [[1, 2], [3, 4]]);
  batches[1]?.answer.resolve([30, 40]);
  assertEquals(await Promise.all([...first, ...second]), [10, 20, 30, 40]);
});

Deno.test("a batch has at most the given number of calls", async () => {
  const inputs: number[] = [];
  const call = batched<number, number>((some) => {
    inputs.push(some.length);
    return Promise.resolve(some);
  }, 2);
  assertEquals(await Promise.all([1, 2, 3, 4, 5].map(call)), [1, 2, 3, 4, 5]);
  assertEquals(inputs, [2, 2, 1]);
});

Deno.test("a batch that fails fails its own calls, and the next one is tried", async () => {
  let tries = 0;
  const call = batched<number, number>(
    (some) => tries++ === 0 ? Promise.reject(new Error("away")) : Promise.resolve(some),
    1,
  );
  const [lost, kept] = [call(1), call(2)];
  await assertRejects(() => lost, Error, "away");
  assertEquals(await kept, 2);
});

Deno.test("calls that wait behind a batch with a fatal error fail with it, and later ones are sent", async () => {
  const { batches, call, next } = counted(10, {
    isFatal: (error) => error instanceof Error && error.message === "gone",
  });
  const first = assertRejects(() => call(1), Error, "gone");
  await next();
  const waits = assertRejects(() => call(2), Error, "gone");
  batches[0]?.answer.reject(new Error("gone"));
  await Promise.all([first, waits]);
  const later = call(3);
  await next();
  assertEquals(batches.map(({ inputs }) => inputs), [[1], [3]]);
  batches[1]?.answer.resolve([30]);
  assertEquals(await later, 30);
});

Deno.test("a batch that is large enough is sent while another is under way", async () => {
  const { batches, call, next } = counted(10, { atOnce: 2, enough: 2 });
  const first = call(1);
  await next();
  const second = [call(2), call(3)];
  await next();
  assertEquals(batches.map(({ inputs }) => inputs), [[1], [2, 3]]);
  const last = [call(4), call(5), call(6)];
  batches[1]?.answer.resolve([2, 3]);
  await Promise.all(second);
  assertEquals(batches[2]?.inputs, [4, 5, 6]);
  batches[0]?.answer.resolve([1]);
  batches[2]?.answer.resolve([4, 5, 6]);
  assertEquals(await Promise.all([first, ...second, ...last]), [1, 2, 3, 4, 5, 6]);
});

Deno.test("full batches are sent while others are under way, up to a limit; a partial one waits for all of them", async () => {
  const { batches, call, next } = counted(2, { atOnce: 2 });
  const calls = [1, 2, 3, 4, 5].map(call);
  await next();
  assertEquals(batches.map(({ inputs }) => inputs), [[1, 2], [3, 4]]);
  batches[1]?.answer.resolve([3, 4]);
  await Promise.all(calls.slice(2, 4));
  assertEquals(batches.length, 2);
  const last = next();
  batches[0]?.answer.resolve([1, 2]);
  await last;
  batches[2]?.answer.resolve([5]);
  assertEquals(await Promise.all(calls), [1, 2, 3, 4, 5]);
  assertEquals(batches[2]?.inputs, [5]);
});

Deno.test("batches under way stay within the size limit, and a larger call is sent alone", async () => {
  const inputs: (readonly number[])[] = [];
  const call = batched<number, number>(
    (some) => {
      inputs.push(some);
      return Promise.resolve(some);
    },
    10,
    { maxSize: 10 },
    (size) => size,
  );
  await Promise.all([5, 5, 1, 20, 3].map(call));
  assertEquals(inputs, [[5, 5], [1], [20], [3]]);
});

Deno.test("a call whose turn does not come is refused, and is not sent later", async () => {
  const { batches, call, next } = counted(1, { queueTimeout: 20 });
  const first = call(1);
  await next();
  await assertRejects(() => call(2), Error, "not sent");
  const third = call(3);
  const second = next();
  batches[0]?.answer.resolve([10]);
  assertEquals(await first, 10);
  await second;
  batches[1]?.answer.resolve([30]);
  assertEquals(await third, 30);
  assertEquals(batches.map(({ inputs }) => inputs), [[1], [3]]);
});

Deno.test("after a batch that is not answered in time nothing is sent until its answer arrives", async () => {
  const { batches, call, next } = counted(1, {
    inTime: async (answer) => {
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => late.reject(new Error("no answer")), 20);
      return await Promise.race([answer, late.promise]).finally(() => clearTimeout(timer));
    },
  });
  const [first, second] = [call(1), call(2)];
  await Promise.all([first, second].map((lost) => assertRejects(() => lost, Error, "no answer")));
  await assertRejects(() => call(3), Error, "no answer");
  assertEquals(batches.map(({ inputs }) => inputs), [[1]]);
  const fourth = call(4);
  const sent = next();
  batches[0]?.answer.resolve([10]);
  await sent;
  batches[1]?.answer.resolve([40]);
  assertEquals(await fourth, 40);
});
