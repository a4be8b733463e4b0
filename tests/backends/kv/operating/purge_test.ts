import { sweepBlobs } from "../../../../src/backends/kv/values/blobs.ts";
import * as record from "../../../../src/backends/shared/record.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { type Opened, withFile } from "./support.ts";

/** Purges page by page. Resolves with how many tasks each has deleted. */
async function purge({ store }: Opened, status: "COMPLETED" | "FAILED", before: number): Promise<readonly number[]> {
  const deleted: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.operating.purge({ status, before }, cursor);
    deleted.push(page.deleted);
    cursor = page.next;
  } while (cursor !== undefined);
  return deleted;
}

const sum = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

Deno.test("KV: a purge leaves nothing of the tasks that it deletes, and goes on over all jobs and pages", () =>
  withFile(async (opened) => {
    const { kv, committer, store, create, change, finish, clock } = opened;
    const large = "x".repeat(20_000);
    const make = async (job: string) => {
      const entry = await create({ job, input: { large } });
      if (job === "b") {
        const lines = [{ at: clock.now, level: "info", text: "a line" }] as const;
        const logged = await change(entry, record.logged(entry.record, { skipped: 0, lines }));
        return await finish(logged, { kind: "error", message: "no", retry: false });
      }
      return await finish(entry, { kind: "value", value: large });
    };
    for (const [job, count] of [["a", 130], ["b", 5], ["c", 110]] as const) {
      await Promise.all(Array.from({ length: count }, () => make(job)));
    }
    const before = ++clock.now;
    const newer = await make("a");
    const deleted = await purge(opened, "COMPLETED", before);
    assertEquals([sum(deleted), Math.max(...deleted) <= 100], [240, true]);
    const counted = (await store.operating.counts()).map((
      { job, counts: { COMPLETED, FAILED } },
    ) => [job, COMPLETED, FAILED]);
    assertEquals(counted, [["a", 1, 0], ["b", 0, 5]]);
    assertEquals(sum(await purge(opened, "COMPLETED", Infinity)), 1);
    assertEquals(sum(await purge(opened, "FAILED", Infinity)), 5);
    assertEquals(await store.read(newer.record.info.id, newer.record.info.owner), undefined);
    while (await sweepBlobs(kv, committer, clock.now + 1)) { /* Deletes the next page. */ }
    const left = new Set((await Array.fromAsync(kv.list({ prefix: ["mcp-jobs"] }))).map(({ key }) => key[1]));
    // Events expire within a minute, and a counter stays until its time, or as long as the job may come back. The clock of
    // this file stands still, so that ids are ahead of it.
    assertEquals(left, new Set(["ahead", "count", "event"]));
    assertEquals(await store.operating.counts(), []);
  }));

Deno.test("KV: two purges at once delete each task once, and count it once", () =>
  withFile(async (opened) => {
    const { store, create, finish } = opened;
    for (let i = 0; i < 30; i++) await finish(await create());
    const deleted = await Promise.all([purge(opened, "COMPLETED", Infinity), purge(opened, "COMPLETED", Infinity)]);
    assertEquals(sum(deleted.flat()), 30);
    await create();
    const [counted] = await store.operating.counts();
    assert(counted);
    assertEquals([counted.counts.COMPLETED, counted.counts.PENDING], [0, 1]);
  }));

Deno.test("KV: a purge finds the tasks that ended early enough behind whole pages of others that ended later", () =>
  withFile(async (opened) => {
    const { create, finish, clock } = opened;
    const made = [];
    for (let i = 0; i < 201; i++) made.push(await create());
    const last = made.pop();
    assert(last);
    await finish(last);
    const before = ++clock.now;
    await Promise.all(made.map((entry) => finish(entry)));
    assertEquals(sum(await purge(opened, "COMPLETED", before)), 1);
    assertEquals(sum(await purge(opened, "COMPLETED", before + 1)), 200);
  }));
