import { readBlob, sweepBlobs, writeBlob } from "../../../../src/backends/kv/values/blobs.ts";
import { Committer } from "../../../../src/backends/kv/committer.ts";
import { blobKey, garbageKey } from "../../../../src/backends/kv/keys.ts";
import { streamsIn } from "../../../../src/backends/kv/values/streams.ts";
import { claimed, created, settled } from "../../../../src/backends/shared/record.ts";
import { Claims } from "../../../../src/backends/shared/claiming/claims.ts";
import { Sweeper } from "../../../../src/backends/shared/sweeper.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { ignored } from "../../../support/errors.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { found, storeOf } from "../support/store.ts";
import { newTask } from "../../../support/tasks.ts";

interface Opened {
  readonly kv: Deno.Kv;
  readonly committer: Committer;
  /** How many pieces, and how many marks of them, are in the file. */
  readonly left: () => Promise<readonly [pieces: number, marks: number]>;
}

async function withKv(use: (opened: Opened) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const count = async (key: Deno.KvKey) => (await Array.fromAsync(kv.list({ prefix: key }))).length;
  const left = async () => [await count(blobKey("", 0).slice(0, 2)), await count(garbageKey())] as const;
  await use({ kv, committer, left });
  await committer.drained();
}

/** Some time after all marks of now are due. */
const later = () => Date.now() + 3_600_000;

/** Sweeps as a backend does, but at a time when all marks of now are due. */
function sweeperOf({ kv, committer }: Pick<Opened, "kv" | "committer">): Sweeper {
  const page = () => sweepBlobs(kv, committer, later());
  return new Sweeper({ what: "sweep", every: 600_000, page, pause: 10, onError: ignored });
}

Deno.test("KV: a large text of which a piece is missing is not read in part", () =>
  withKv(async ({ kv, committer }) => {
    const text = "x".repeat(150_000);
    const ref = await writeBlob(committer, text);
    assertEquals(await readBlob(kv, ref) === text, true);
    await kv.delete(blobKey(ref.id, 1));
    assertEquals(await readBlob(kv, ref), undefined);
  }));

Deno.test("KV: one sweep deletes all unused large texts, however many there are", () =>
  withKv(async ({ kv, committer, left }) => {
    const texts = Array.from({ length: 250 }, () => "x".repeat(10_000));
    texts[120] = "x".repeat(600_000);
    await Promise.all(texts.map((text) => writeBlob(committer, text)));
    assertEquals(await left(), [259, 250]);
    await using sweeper = sweeperOf({ kv, committer });
    await sweeper.sweep();
    assertEquals(await left(), [0, 0]);
  }));

Deno.test("KV: a sweep lets other writers in after each page of what it deletes", () =>
  withKv(async ({ kv, committer, left }) => {
    await Promise.all(Array.from({ length: 150 }, () => writeBlob(committer, "x")));
    assertEquals(await sweepBlobs(kv, committer, later()), true);
    assertEquals(await left(), [50, 50]);
    assertEquals(await sweepBlobs(kv, committer, later()), false);
    assertEquals(await left(), [0, 0]);
  }));

Deno.test("KV: a sweep deletes neither what is not due yet nor what is claimed at the same moment", () =>
  withKv(async ({ kv, committer, left }) => {
    const { id, dueAt } = await writeBlob(committer, "x".repeat(10_000));
    await sweepBlobs(kv, committer, Date.now());
    assertEquals(await left(), [1, 1]);
    const claim = committer.commit({ deletes: [garbageKey(dueAt, id)], bytes: 0 });
    await Promise.all([claim, sweepBlobs(kv, committer, later())]);
    assertEquals(await left(), [1, 0]);
  }));

Deno.test("KV: a sweeper that is closed stops after the page under way", () =>
  withKv(async ({ kv, committer, left }) => {
    await Promise.all(Array.from({ length: 350 }, () => writeBlob(committer, "x")));
    const sweeper = sweeperOf({ kv, committer });
    const sweeping = sweeper.sweep();
    await Promise.all([sweeper[Symbol.asyncDispose](), sweeping]);
    assertEquals(await left(), [250, 250]);
  }));

Deno.test("KV: a long message of a stream is kept for as long as requested, and leaves nothing to be swept", () =>
  withKv(async ({ kv, committer, left }) => {
    const streams = streamsIn(kv, committer);
    const text = "x".repeat(40_000);
    await streams.append("stream", { id: "1", text }, 3_600_000);
    assertEquals(await left(), [1, 0]);
    await sweepBlobs(kv, committer, later());
    const [event] = await streams.readAfter("stream", "");
    assert(event?.text === text);
  }));

Deno.test("KV: a large input and a large result are kept as long as their task, and then nothing is left", () =>
  withKv(async ({ kv, committer, left }) => {
    const store = storeOf(kv, committer);
    const claims = new Claims(store, { name: "worker", jobs: ["job"] }, {
      hasRoom: () => true,
      lose() {},
      onError: ignored,
    });
    const [id, input, value] = [newTaskId(), "x".repeat(20_000), "y".repeat(100_000)];
    await store.create(
      created(newTask({ id, input }), Date.now()),
      JSON.stringify(input),
    );
    await sweepBlobs(kv, committer, later());
    const [claim] = (await claims.claim(1)).claims;
    assert(claim);
    assertEquals(claim.input, input);
    await claims.settle(claim.task, { kind: "value", value });
    await sweepBlobs(kv, committer, later());
    assertEquals(await left(), [3, 1]);
    const ended = await found(store, id);
    assertEquals([await store.outcome(ended), await store.input(ended)], [{ kind: "value", value }, input]);
    // KV itself deletes the pieces of the result, which expire with the task.
    await sweepBlobs(kv, committer, Date.now() + 24 * 3_600_000);
    assertEquals(await left(), [2, 0]);
  }));

Deno.test("KV: an unfinished task never expires, and a finished one is kept a while longer than its result", () =>
  withKv(async ({ kv, committer }) => {
    const kept: (readonly [part: unknown, ms: number | undefined])[] = [];
    const commit = committer.commit.bind(committer);
    committer.commit = (write) => {
      for (const { key, expireIn } of write.sets ?? []) kept.push([key[1], expireIn]);
      return commit(write);
    };
    const store = storeOf(kv, committer);
    const id = newTaskId();
    await store.create(
      created(newTask({ id }), Date.now()),
      "{}",
    );
    assertEquals(kept.splice(0), [["task", undefined], ["ready", undefined], ["index", undefined]]);
    const entry = await found(store, id);
    const { record, outcome } = settled(
      claimed(entry.record, "worker", Date.now()),
      { kind: "value", value: "y".repeat(10_000) },
      Date.now(),
      0,
    );
    await store.change(entry, record, outcome);
    const end = kept[1]?.[1] ?? 0;
    const hourMore = 60_000 + 3_600_000;
    assert(end >= hourMore && end <= hourMore * (1 + 1 / 32), `${end}`);
    assertEquals(kept, [["garbage", undefined], ["blob", end], ["task", end], ["index", end]]);
  }));
