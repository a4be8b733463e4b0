/**
 * Calls of one tick, sent together.
 *
 * @module
 */

interface Call<In, Out> {
  readonly input: In;
  readonly resolve: (output: Out) => void;
  readonly reject: (reason: unknown) => void;
}

/** Makes of a function for many a function for one; the calls of one tick go together, up to `max` of them. */
export function batched<In, Out>(
  many: (inputs: readonly In[]) => Promise<readonly Out[]>,
  max: number,
): (input: In) => Promise<Out> {
  let calls: Call<In, Out>[] = [];
  const send = async (batch: readonly Call<In, Out>[]) => {
    try {
      const outputs = await many(batch.map(({ input }) => input));
      // The two have one length; a missing output is what `Out` says of it.
      batch.forEach(({ resolve }, index) => resolve(outputs[index] as Out));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const flush = () => {
    const all = calls;
    calls = [];
    for (let at = 0; at < all.length; at += max) void send(all.slice(at, at + max));
  };
  return (input) =>
    new Promise<Out>((resolve, reject) => {
      if (calls.push({ input, resolve, reject }) === 1) queueMicrotask(flush);
    });
}
