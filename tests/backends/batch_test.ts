import { batched } from "../../src/backends/batch.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

/** A function whose batches are answered when the test says so. */
function counted(max: number) {
  const batches: { readonly inputs: readonly number[]; readonly answer: PromiseWithResolvers<readonly number[]> }[] =
    [];
  let begun = Promise.withResolvers<void>();
  const call = batched<number, number>((inputs) => {
    const answer = Promise.withResolvers<readonly number[]>();
    batches.push({ inputs, answer });
    begun.resolve();
    begun = Promise.withResolvers();
    return answer.promise;
  }, max);
  /** Waits for the next batch. */
  const next = () => begun.promise;
  return { batches, call, next };
}

Deno.test("calls of one moment go together, and those made meanwhile are the next batch", async () => {
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

Deno.test("a batch holds no more than it may", async () => {
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
