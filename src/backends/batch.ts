/**
 * Calls that go together: one batch is under way at a time, and what is called meanwhile is the next. Who calls alone
 * waits for nobody; the more call at once, the fewer trips they cost.
 *
 * @module
 */

interface Call<In, Out> {
  readonly input: In;
  readonly resolve: (output: Out) => void;
  readonly reject: (reason: unknown) => void;
}

/** Makes of a function for many, up to `max`, a function for one. */
export function batched<In, Out>(
  many: (inputs: readonly In[]) => Promise<readonly Out[]>,
  max: number,
): (input: In) => Promise<Out> {
  const calls: Call<In, Out>[] = [];
  let working = false;
  const work = async () => {
    await Promise.resolve(); // The calls of this very moment join the first batch.
    while (calls.length > 0) {
      const batch = calls.splice(0, max);
      try {
        const outputs = await many(batch.map(({ input }) => input));
        // The two have one length; a missing output is what `Out` says of it.
        batch.forEach(({ resolve }, index) => resolve(outputs[index] as Out));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    working = false;
  };
  return (input) =>
    new Promise<Out>((resolve, reject) => {
      calls.push({ input, resolve, reject });
      if (working) return;
      working = true;
      void work();
    });
}
