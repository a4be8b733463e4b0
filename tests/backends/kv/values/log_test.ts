import { createWorker, defineJob, DenoKvBackend, isFinished, type LogLine } from "../../../../mod.ts";
import { logWriting, readLog } from "../../../../src/backends/kv/values/log.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { newestLines } from "../../../../src/task_log/newest_lines.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

const ID = "01a20500-0000-7000-8000-000000000000";

/** Adds lines to a log, as the commit of a change does. */
async function add(kv: Deno.Kv, lines: readonly LogLine[], expireIn?: number) {
  const write = await logWriting(kv, ID, lines, expireIn);
  const atomic = kv.atomic();
  for (const { key, value, expireIn } of write.sets) atomic.set(key, value, { expireIn });
  for (const key of write.deletes) atomic.delete(key);
  await atomic.commit();
  return write;
}

Deno.test("KV: a log is stored in a few values, and a new line rewrites only the last one", async () => {
  using kv = await Deno.openKv(":memory:");
  const all: LogLine[] = [];
  const make = (text: string): LogLine => ({ number: all.length + 1, at: 1_764_340_000_000, level: "info", text });
  for (let batch = 0; batch < 120; batch++) {
    const lines: LogLine[] = [];
    for (let count = batch % 7; count >= 0; count--) {
      const line = make(batch % 10 === 0 ? "世".repeat(4_000) : "x".repeat(17 * batch));
      all.push(line);
      lines.push(line);
    }
    const { sets } = await add(kv, lines);
    assert(sets.length <= 1 + lines.length, `${lines.length} lines were added with ${sets.length} values.`);
    assertEquals(newestLines(await readLog(kv, ID)), newestLines(all));
  }
  const kept = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "log", ID] }));
  assert(kept.length < 15, `${kept.length} values are kept.`);
  const end = await add(kv, [], 1_000);
  assertEquals(end.sets.map(({ key, expireIn }) => [key, expireIn]), kept.map(({ key }) => [key, 1_000]));
  assertEquals(newestLines(await readLog(kv, ID)), newestLines(all));
});

Deno.test("KV: a task that logs nothing has no log key, and a log key expires with its task", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const backend = await DenoKvBackend.open({ path, lease: 60_000 });
  const job = (name: string, lines: number) =>
    defineJob({
      name,
      input: { type: "object" },
      run: (_, ctx) => {
        for (let line = 0; line < lines; line++) void ctx.log(`line ${line}`);
      },
    });
  const worker = createWorker(backend, [job("quiet", 0), job("tells", 3)]);
  const ended = Promise.withResolvers<void>();
  let left = 2;
  backend.watch((event) => {
    if (event.kind === "change" && isFinished(event.task) && --left === 0) ended.resolve();
  });
  const ids = [newTaskId(), newTaskId()];
  for (const [index, job] of ["quiet", "tells"].entries()) {
    await backend.create(newTask({ id: ids[index] ?? "", job }));
  }
  await ended.promise;
  const kv = await Deno.openKv(path);
  const keys = (await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "log"] }))).map(({ key }) => key);
  assertEquals(keys, [["mcp-jobs", "log", ids[1] ?? "", 1]]);
  kv.close();
  await worker.close(0);
  await backend.close();
});
