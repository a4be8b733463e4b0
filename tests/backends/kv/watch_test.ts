import { join } from "node:path";
import { z } from "zod";
import {
  createWorker,
  defineJob,
  DefinitionError,
  DenoKvBackend,
  isFinished,
  type Json,
  type TaskInfo,
  ToolError,
} from "../../../mod.ts";
import { Committer } from "../../../src/backends/kv/committer.ts";
import { eventKey, taskKey } from "../../../src/backends/kv/keys.ts";
import type { StoredTask } from "../../../src/backends/kv/stored.ts";
import { answered, created } from "../../../src/backends/shared/record.ts";
import type { Outcome } from "../../../src/task.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { newTask } from "../../support/tasks.ts";
import { SetClock } from "../../support/set_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";

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

/** Creates a task on one connection, and waits until another one of the same file has heard of it. */
async function notifiesOthers(): Promise<void> {
  await using folder = await TempFolder.make();
  await using one = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  await using other = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  const seen = firstChange(other);
  const task = await one.create(newTask({ job: "echo" }));
  assertEquals((await seen).id, task.id);
}

Deno.test("if the system has no file watcher left, changes of other connections are still found", async () => {
  const { watchFs } = Deno;
  Deno.watchFs = () => {
    throw new Error("No space left on device (os error 28)");
  };
  try {
    await notifiesOthers();
  } finally {
    Deno.watchFs = watchFs;
  }
});

Deno.test("a process that has been idle for long keeps its wake files when another one starts", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const wakeFiles = async () =>
    (await Array.fromAsync(Deno.readDir(`${path}.wake`))).map(({ name }) => `${path}.wake/${name}`);
  using clock = new SetClock();
  await using _idle = await DenoKvBackend.open({ path });
  const files = await wakeFiles();
  for (const file of files) await Deno.utime(file, 0, 0);
  clock.ahead = 3_600_000;
  const touched = async (file: string) => ((await Deno.stat(file)).mtime?.getTime() ?? 0) > 0;
  await until(async () => (await Promise.all(files.map(touched))).every(Boolean), "the wake files are touched");
  await using _new = await DenoKvBackend.open({ path });
  const left = await wakeFiles();
  assertEquals(files.filter((file) => !left.includes(file)), []);
});

Deno.test("the error for a file that cannot be opened names its path, and nothing stays open", async () => {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(`${folder.path}/jobs.kv`, "this is no database".repeat(100));
  const error = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` }).then(() => undefined, (error) => error);
  assertEquals([error?.name, error?.message.includes(`${folder.path}/jobs.kv`)], ["BackendError", true]);
});

Deno.test("a URL and ~ are refused as a path: they would become folders of these names, or other files of SQLite", async () => {
  const paths = [
    "file:///data/jobs.kv",
    "file:./data/jobs.kv",
    "file:jobs.kv?mode=memory",
    "~/jobs.kv",
    "~\\jobs.kv",
    "/C:/data/jobs.kv",
    "https://api.deno.com/databases/1/connect",
  ];
  for (const path of paths) {
    const error = await assertRejects(() => DenoKvBackend.open({ path }), DefinitionError);
    assertStringIncludes(error.message, `Cannot open the KV file ${JSON.stringify(path)}: pass the path of a file`);
  }
});

Deno.test("a path that is a folder is refused with an error that says so, and what to pass", async () => {
  await using folder = await TempFolder.make();
  const file = JSON.stringify(join(folder.path, "jobs.kv"));
  for (const path of [folder.path, `${folder.path}/`]) {
    const error = await assertRejects(() => DenoKvBackend.open({ path }), DefinitionError);
    assertEquals(
      error.message,
      `Cannot open the KV file ${path}: it is a folder. Pass the path of a file in it, such as ${file}.`,
    );
  }
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("missing folders are made, whichever way the system separates them", async () => {
  await using folder = await TempFolder.make();
  for (const path of [join(folder.path, "some", "where", "jobs.kv"), `${folder.path}/else/where/jobs.kv`]) {
    await using _backend = await DenoKvBackend.open({ path });
    assert((await Deno.stat(path)).isFile);
  }
});

Deno.test("a write that is on disk succeeds even if a listener fails, and the listener's error is reported", async () => {
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
    const { info: task } = created(newTask({ job: "echo" }), 0);
    const event = { task, text: JSON.stringify(task) };
    assert(await committer.commit({ sets: [{ key: ["one"], value: 1 }], event, bytes: 0 }));
    await committer.drained();
  } finally {
    globalThis.removeEventListener("error", report);
  }
  assertEquals([(await kv.get(["one"])).value, reported], [1, [failure]]);
});

Deno.test("a task is created, and other processes are notified, even if the wake file cannot be touched", async () => {
  const { utimeSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.utimeSync = () => {
    throw new Error("Input/output error (os error 5)");
  };
  try {
    await notifiesOthers();
  } finally {
    Deno.FsFile.prototype.utimeSync = utimeSync;
  }
});

Deno.test("a job whose answer came with a change that its worker has missed gets it after the gap", async () => {
  await using folder = await TempFolder.make();
  await using backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  using feed = new TaskFeed(backend);
  const echo = defineJob({
    name: "echo",
    input: { type: "object" },
    run: async (_, { elicit }) => (await elicit({ message: "Well?", schema: { type: "object" } })).action,
  });
  await using _worker = createWorker(backend, [echo]);
  const { id, owner } = await backend.create(newTask({ job: "echo" }));
  const asked = Promise.withResolvers<void>();
  const end = feed.wait(id, owner, AbortSignal.timeout(60_000), ({ status }) => {
    if (status === "INPUT_REQUIRED") asked.resolve();
  });
  await asked.promise;
  using kv = await Deno.openKv(`${folder.path}/jobs.kv`);
  const { value } = await kv.get<StoredTask>(taskKey(owner, id));
  const [question] = value && "questions" in value.record.info ? value.record.info.questions ?? [] : [];
  assert(value && question);
  // Nobody is told of it, and the number says that something is missing.
  const answers = { [question.key]: { action: "decline" } } as const;
  await kv.set(taskKey(owner, id), { ...value, record: answered(value.record, answers, Date.now()) });
  await kv.set(eventKey("other", 2), "[]");
  assertEquals((await end).status, "COMPLETED");
  assertEquals(await backend.outcome(id, owner), { kind: "value", value: "decline" });
});

Deno.test("KV: the process that ends a task emits how it has ended, unless that is large; others only that it has", async () => {
  await using opened = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  const path = `${folder}/jobs.kv`;
  await using here = await DenoKvBackend.open({ path });
  await using elsewhere = await DenoKvBackend.open({ path });
  const values: { readonly [input: string]: Json } = { small: null, large: "x".repeat(10_000) };
  const input = z.enum(["small", "large", "none"]);
  const job = defineJob({
    name: "echo",
    input: z.object({ input }),
    attempts: 1,
    run: ({ input }) => {
      if (input === "none") throw new ToolError("There is none.");
      return values[input];
    },
  });
  const endsOf = (backend: DenoKvBackend) => {
    const ends = new Map<string, Outcome | undefined>();
    const all = Promise.withResolvers<void>();
    backend.watch((event) => {
      if (event.kind !== "change" || !isFinished(event.task)) return;
      if (ends.set(event.task.id, event.outcome).size === input.options.length) all.resolve();
    });
    return { ends, all: all.promise };
  };
  const [near, far] = [endsOf(here), endsOf(elsewhere)];
  const ids = input.options.map(() => newTaskId());
  for (const [index, name] of input.options.entries()) {
    await here.create(newTask({ job: "echo", id: ids[index] ?? "", input: { input: name } }));
  }
  await using _ = createWorker(here, [job]);
  await Promise.all([near.all, far.all]);
  const outcomes = ids.map((id) => near.ends.get(id));
  assertEquals(outcomes, [
    { kind: "value", value: null },
    undefined,
    { kind: "tool_error", message: "There is none." },
  ]);
  assertEquals(ids.map((id) => far.ends.get(id)), [undefined, undefined, undefined]);
});
