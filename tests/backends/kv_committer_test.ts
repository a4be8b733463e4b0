import { DenoKvBackend } from "../../mod.ts";
import { Committer } from "../../src/backends/kv/committer.ts";
import { created } from "../../src/backends/record.ts";
import { newTaskId } from "../../src/ids.ts";
import { assert, assertEquals } from "../../tools/std.ts";

const newTask = () => ({
  id: newTaskId(),
  job: "echo",
  owner: "ann",
  input: {},
  resultTtl: 60_000,
  retry: { attempts: 1, delay: 0, maxDelay: 0 },
});

Deno.test("a write that is on disk has succeeded, whoever fails to hear of it; the error is reported", async () => {
  using kv = await Deno.openKv(":memory:");
  const failure = new Error("The listener failed.");
  const committer = new Committer(kv, "writer", () => {
    throw failure;
  });
  const reported: unknown[] = [];
  const report = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error);
  };
  globalThis.addEventListener("error", report);
  try {
    const { info: task } = created(newTask(), 0);
    const event = { task, text: JSON.stringify(task) };
    assert(await committer.commit({ sets: [{ key: ["one"], value: 1 }], event, bytes: 0 }));
    await committer.drained();
  } finally {
    globalThis.removeEventListener("error", report);
  }
  assertEquals([(await kv.get(["one"])).value, reported], [1, [failure]]);
});

Deno.test("a task is created, and told to others, though the wake file cannot be written", async () => {
  const folder = await Deno.makeTempDir();
  const { writeSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.writeSync = () => {
    throw new Error("Input/output error (os error 5)");
  };
  try {
    await using one = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
    await using other = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
    const seen = new Promise<string>((resolve) =>
      other.watch((event) => event.kind === "change" && resolve(event.task.id))
    );
    const task = await one.create(newTask());
    assertEquals(await seen, task.id);
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
    await Deno.remove(folder, { recursive: true });
  }
});
