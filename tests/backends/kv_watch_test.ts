import { DenoKvBackend, type TaskInfo } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { assertEquals } from "../../tools/std.ts";

const newTask = () => ({
  id: newTaskId(),
  job: "echo",
  owner: "ann",
  input: {},
  resultTtl: 60_000,
  retry: { attempts: 1, delay: 0, maxDelay: 0 },
});

/** The first change that a backend tells. */
function firstChange(backend: DenoKvBackend): Promise<TaskInfo> {
  return new Promise((resolve) => {
    const stop = backend.watch((event) => {
      if (event.kind !== "change") return;
      stop();
      resolve(event.task);
    });
  });
}

Deno.test("where the system has no watcher to give, the changes of other connections are found all the same", async () => {
  const folder = await Deno.makeTempDir();
  const { watchFs } = Deno;
  Deno.watchFs = () => {
    throw new Error("No space left on device (os error 28)");
  };
  try {
    await using one = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
    await using other = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
    const seen = firstChange(other);
    const task = await one.create(newTask());
    assertEquals((await seen).id, task.id);
  } finally {
    Deno.watchFs = watchFs;
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file that cannot be opened is told with its path, and leaves nothing open", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/jobs.kv`, "this is no database".repeat(100));
  const error = await DenoKvBackend.open({ path: `${folder}/jobs.kv` }).then(() => undefined, (error) => error);
  assertEquals([error?.name, error?.message.includes(`${folder}/jobs.kv`)], ["BackendError", true]);
  await Deno.remove(folder, { recursive: true });
});
