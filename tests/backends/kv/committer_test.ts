import { Committer, type Write } from "../../../src/backends/kv/committer.ts";
import { BackendError, InvalidValue } from "../../../src/errors.ts";
import { assert, assertEquals } from "../../../tools/std.ts";

async function withCommitter(use: (committer: Committer, kv: Deno.Kv) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  await use(committer, kv);
  await committer.drained();
}

const write = (name: string, text: string, checks: Write["checks"] = []): Write => ({
  checks,
  sets: [{ key: [name], value: text }],
  bytes: text.length,
});

/** How each write ended: "written", "changed meanwhile", or the error. */
async function ends(committer: Committer, writes: readonly Write[]): Promise<unknown[]> {
  const all = await Promise.allSettled(writes.map((one) => committer.commit(one)));
  return all.map((end) => {
    if (end.status === "rejected") return end.reason;
    return end.value === null ? "changed meanwhile" : "written";
  });
}

Deno.test("KV: of writes that are committed together, only the one that can never be stored fails, and says why", () =>
  withCommitter(async (committer, kv) => {
    const tooLarge = write("ann", "x".repeat(70_000));
    const longKey = write("k".repeat(3_000), "eve");
    const before = Array.from({ length: 5 }, (_, i) => write(`before ${i}`, "bob"));
    const after = Array.from({ length: 5 }, (_, i) => write(`after ${i}`, "bob"));
    const all = await ends(committer, [...before, tooLarge, longKey, ...after]);
    const [large, long] = all.splice(5, 2);
    assertEquals(all, all.map(() => "written"));
    assert(large instanceof InvalidValue && long instanceof InvalidValue);
    assert(large.message.includes("Value too large") && long.message.includes("Key too large"));
    assertEquals((await Array.fromAsync(kv.list({ prefix: [] }))).length, 10);
  }));

Deno.test("KV: of writes that are committed together, a conflict and a value that can never be stored fail each in its own way", () =>
  withCommitter(async (committer) => {
    const changed = write("changed", "", [{ key: ["changed"], versionstamp: "00000000000000990000" }]);
    const all = await ends(committer, [write("a", "a"), changed, write("b", "x".repeat(70_000)), write("c", "c")]);
    const [refused] = all.splice(2, 1);
    assertEquals(all, ["written", "changed meanwhile", "written"]);
    assert(refused instanceof InvalidValue);
  }));

Deno.test("KV: writes that are too much for one commit are still written, and in order", () =>
  withCommitter(async (committer, kv) => {
    // They say nothing of their size, so all are tried as one.
    const large = Array.from({ length: 20 }, (_, i) => ({ ...write(`large ${i}`, "x".repeat(60_000)), bytes: 0 }));
    const keys = Array.from({ length: 90 }, (_, i) => write("k".repeat(1_000) + i, ""));
    const last = [write("last", "old"), write("last", "new")];
    const all = await ends(committer, [...large, ...keys, ...last]);
    assertEquals(all, all.map(() => "written"));
    assertEquals((await kv.get(["last"])).value, "new");
  }));

Deno.test("KV: when the file fails, all waiting writes reject", () =>
  withCommitter(async (committer, kv) => {
    kv.atomic = () => {
      throw new TypeError("disk I/O error");
    };
    const all = await ends(committer, [write("a", "a"), write("b", "b")]);
    assertEquals(all.map((end) => end instanceof BackendError), [true, true]);
  }));
