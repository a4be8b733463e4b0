/** What KV itself gives on this machine, to hold the other figures against. */

/** Commits per second of one small value each, one after the other: every one is an fsync. */
export async function rawCommits(place: string, commits: number): Promise<number> {
  using kv = await Deno.openKv(`${place}/raw.kv`);
  const start = performance.now();
  for (let i = 0; i < commits; i++) await kv.set(["raw", i], { id: i, status: "PENDING" });
  return commits / ((performance.now() - start) / 1_000);
}

/** Mutations per second in commits of 500. */
export async function rawMutations(place: string, commits: number): Promise<number> {
  using kv = await Deno.openKv(`${place}/raw.kv`);
  const start = performance.now();
  for (let i = 0; i < commits; i++) {
    const atomic = kv.atomic();
    for (let j = 0; j < 500; j++) atomic.set(["group", i, j], { id: j, status: "PENDING" });
    await atomic.commit();
  }
  return commits * 500 / ((performance.now() - start) / 1_000);
}

/** Counts the reads that this process makes of KV while `during` runs. */
export async function countReads(during: () => Promise<unknown>): Promise<number> {
  const { get, getMany, list } = Deno.Kv.prototype;
  let reads = 0;
  const counted = <A extends unknown[], R>(method: (this: Deno.Kv, ...args: A) => R) =>
    function (this: Deno.Kv, ...args: A): R {
      reads++;
      return method.apply(this, args);
    };
  Object.assign(Deno.Kv.prototype, { get: counted(get), getMany: counted(getMany), list: counted(list) });
  try {
    await during();
  } finally {
    Object.assign(Deno.Kv.prototype, { get, getMany, list });
  }
  return reads;
}
