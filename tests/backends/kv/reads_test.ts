import { BackendError, DenoKvBackend } from "../../../mod.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertRejects } from "../../../tools/std.ts";
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
