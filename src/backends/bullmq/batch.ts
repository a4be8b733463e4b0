/**
 * Reads of one tick, sent together.
 *
 * @module
 */

/** The most that is read at once. */
const MAX_BATCH = 500;

interface Wish<T> {
  readonly id: string;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** Makes of a function that reads many a function that reads one, and of the calls of one tick a single read. */
export function batched<T>(readMany: (ids: readonly string[]) => Promise<readonly T[]>): (id: string) => Promise<T> {
  let wishes: Wish<T>[] = [];
  const read = async (batch: readonly Wish<T>[]) => {
    try {
      const found = await readMany(batch.map(({ id }) => id));
      // The two have one length; a missing value is what `T` says of it.
      batch.forEach(({ resolve }, index) => resolve(found[index] as T));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const flush = () => {
    const all = wishes;
    wishes = [];
    for (let at = 0; at < all.length; at += MAX_BATCH) void read(all.slice(at, at + MAX_BATCH));
  };
  return (id) =>
    new Promise<T>((resolve, reject) => {
      if (wishes.push({ id, resolve, reject }) === 1) queueMicrotask(flush);
    });
}
