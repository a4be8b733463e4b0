import { Claims } from "../../src/backends/kv/claims.ts";
import { Committer } from "../../src/backends/kv/committer.ts";
import { Lease } from "../../src/backends/kv/lease.ts";
import { TaskStore } from "../../src/backends/kv/store.ts";
import { created } from "../../src/backends/record.ts";
import { newTaskId } from "../../src/ids.ts";
import type { Json } from "../../src/task.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";

const OWNER = "ann";

interface Opened {
  readonly kv: Deno.Kv;
  readonly store: TaskStore;
  readonly claims: Claims;
  readonly create: (input: Json, delay?: number, owner?: string) => Promise<string>;
  readonly committer: Committer;
}

async function withClaims(use: (opened: Opened) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = new TaskStore(kv, committer);
  const claims = new Claims({ kv, store, worker: "worker", jobs: ["job"], hold: () => {}, lose: () => {} });
  const create = async (input: Json, delay?: number, owner = OWNER) => {
    const id = newTaskId();
    const retry = { attempts: 3, delay: 60_000, maxDelay: 60_000 };
    const task = { id, job: "job", owner, input, resultTtl: 60_000, retry, delay };
    await store.create(created(task, Date.now() - 1_000), input);
    return id;
  };
  await use({ kv, store, claims, create, committer });
  await committer.drained();
}

Deno.test("KV: a delayed task that is due is found again after a look for it has failed", () =>
  withClaims(async ({ kv, claims, create }) => {
    const id = await create({}, 1);
    kv.list = () => {
      throw new TypeError("disk I/O error");
    };
    await assertRejects(() => claims.claim(1), TypeError, "disk I/O error");
    kv.list = Deno.Kv.prototype.list;
    const look = await claims.claim(1);
    assertEquals(look.claims.map(({ task }) => task.id), [id]);
  }));

Deno.test("KV: an input that cannot be read is a failed attempt of its task, and keeps no other task from its run", () =>
  withClaims(async ({ kv, store, claims, create }) => {
    const large = await create("x".repeat(20_000));
    const small = await create("y");
    kv.getMany = () => {
      kv.getMany = Deno.Kv.prototype.getMany;
      return Promise.reject(new TypeError("disk I/O error"));
    };
    const look = await claims.claim(2);
    assertEquals(look.claims.map(({ task, input }) => [task.id, input]), [[small, "y"]]);
    const message = "Cannot read the KV file: TypeError: disk I/O error";
    assertEquals(look.failed, [{ id: large, attempt: { kind: "error", message, retry: true } }]);
    for (const { id, attempt } of look.failed ?? []) await claims.settle(id, attempt);
    const { record } = (await store.find(large, OWNER)).stored;
    assertEquals([record.info.status, record.info.message], [
      "RETRYING",
      `Attempt 1 of 3 failed: ${message}`,
    ]);
    assertEquals(claims.held.map(({ id }) => id), [small]);
  }));

Deno.test("KV: a large input is read once the file is no longer locked", () =>
  withClaims(async ({ kv, claims, create }) => {
    const input = "x".repeat(20_000);
    await create(input);
    kv.getMany = () => {
      kv.getMany = Deno.Kv.prototype.getMany;
      return Promise.reject(new TypeError("database is locked"));
    };
    const look = await claims.claim(1);
    assertEquals(look.claims.map((claim) => claim.input), [input]);
  }));

Deno.test("KV: a worker claims no more tasks than its lease can name, however long the names of their owners are", () =>
  withClaims(async ({ kv, store, claims, create, committer }) => {
    const owner = (number: number) => `${number}`.padEnd(128, "€");
    await Promise.all(Array.from({ length: 250 }, (_, number) => create({}, undefined, owner(number))));
    const looks = [await claims.claim(100), await claims.claim(100), await claims.claim(100)];
    const all = looks.flatMap((look) => look.claims);
    assertEquals([claims.held.length, looks[2]?.claims, looks[2]?.more], [all.length, [], false]);
    assert((looks[2]?.dueAt ?? 0) > 0, "It looks again soon.");
    const jobs = Array.from({ length: 100 }, (_, number) => `${number}`.padEnd(64, "x"));
    const lease = new Lease({
      kv,
      store,
      committer,
      worker: "worker",
      jobs,
      duration: 9_000,
      held: () => claims.held,
      renewed() {},
    });
    await lease.ready;
    await lease[Symbol.asyncDispose]();
    await claims.settle(all[0]?.task.id ?? "", { kind: "value", value: 1 });
    assertEquals((await claims.claim(100)).claims.length, 1);
  }));
