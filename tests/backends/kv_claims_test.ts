import { Claims } from "../../src/backends/kv/claims.ts";
import { Committer } from "../../src/backends/kv/committer.ts";
import { TaskStore } from "../../src/backends/kv/store.ts";
import { created } from "../../src/backends/record.ts";
import { newTaskId } from "../../src/ids.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

Deno.test("KV: a delayed task that is due is found again after a look for it has failed", async () => {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = new TaskStore(kv, committer);
  const claims = new Claims({ kv, store, worker: "worker", jobs: ["job"], hold: () => {}, lose: () => {} });
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  const task = { id: newTaskId(), job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry, delay: 1 };
  await store.create(created(task, Date.now() - 1_000), task.input);

  kv.list = () => {
    throw new TypeError("disk I/O error");
  };
  await assertRejects(() => claims.claim(1), TypeError, "disk I/O error");
  kv.list = Deno.Kv.prototype.list;
  const look = await claims.claim(1);
  assertEquals(look.claims.map(({ task }) => task.id), [task.id]);
});
