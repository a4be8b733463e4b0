import { isDeepStrictEqual } from "node:util";
import { BackendError, DenoKvBackend } from "../../../mod.ts";
import { workerKey } from "../../../src/backends/kv/keys.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { newTask } from "../../support/tasks.ts";

Deno.test("KV: a read rejects with BackendError if the file fails", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-reads-" });
  const backend = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
  const [id, owner] = [newTaskId(), "ann"];
  await backend.create(newTask({ id, job: "waits", owner }));
  const { getMany, list } = Deno.Kv.prototype;
  const fail = () => {
    throw new TypeError("disk I/O error");
  };
  Object.assign(Deno.Kv.prototype, { getMany: fail, list: fail });
  try {
    for (
      const read of [
        () => backend.get(id, owner),
        () => backend.outcome(id, owner),
        () => backend.cancel(id, owner, 0),
        () => backend.answer(id, owner, {}),
        () => backend.list(owner, { limit: 1 }),
        () => backend.hasWorker("waits"),
        () => backend.streams.readAfter("stream", ""),
        () => backend.streams.clear("stream"),
      ]
    ) await assertRejects(read, BackendError, "Cannot read the KV file: TypeError: disk I/O error");
  } finally {
    Object.assign(Deno.Kv.prototype, { getMany, list });
  }
  await backend.close();
  await assertRejects(() => backend.streams.readAfter("stream", ""), BackendError);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("KV: counting the tasks of many jobs that wait reads the list of workers once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-reads-" });
  {
    await using backend = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
    for (let i = 0; i < 5; i++) await backend.create(newTask({ job: `waits ${i}` }));
    const { list } = Deno.Kv.prototype;
    let reads = 0;
    Deno.Kv.prototype.list = function (selector, options) {
      if ("prefix" in selector && isDeepStrictEqual(selector.prefix, workerKey())) reads++;
      return list.call(this, selector, options) as ReturnType<typeof this.list<never>>;
    };
    try {
      const counts = await backend.operator.counts();
      assertEquals(counts.map(({ hasWorker }) => hasWorker), Array(5).fill(false));
      assertEquals(reads, 1);
    } finally {
      Deno.Kv.prototype.list = list;
    }
  }
  await Deno.remove(folder, { recursive: true });
});
