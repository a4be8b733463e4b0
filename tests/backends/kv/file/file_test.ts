/**
 * The KV file on the disk: whose it is, and what happens when it is deleted, moved or replaced while it is open.
 *
 * @module
 */
import { StoreLost } from "../../../../backend.ts";
import { createWorker, defineJob, DenoKvBackend, type TaskInfo } from "../../../../mod.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { Raw } from "../../../mcp/http/support/raw.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

const OWNER = "ann";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  await using folder = await TempFolder.make();
  await run(folder.path);
}

function create(backend: DenoKvBackend): Promise<TaskInfo> {
  return backend.create(newTask({ job: "waits", owner: OWNER }));
}

const heldOpen = Deno.build.os === "windows" ? "Windows deletes and moves no open file" : undefined;

/** What happens to the file, and what is said of it. */
const LOSSES: { readonly [what: string]: (path: string) => Promise<void> } = {
  "it was deleted or moved": (path) => Deno.remove(path),
  "another file stands in its place": async (path) => {
    (await Deno.openKv(`${path}.other`)).close();
    await Deno.rename(`${path}.other`, path);
  },
};

for (const [what, lose] of Object.entries(LOSSES)) {
  testUnless(heldOpen, `KV: every call fails once the file is gone: ${what}`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/jobs.kv`;
      await using backend = await DenoKvBackend.open({ path });
      using feed = new TaskFeed(backend);
      const task = await create(backend);
      const waiting = Promise.withResolvers<void>();
      const wait = feed.wait(task.id, OWNER, new AbortController().signal, () => waiting.resolve());
      await waiting.promise;
      const followed = Promise.withResolvers<TaskInfo>();
      feed.follow(task, (now) => now.status === "FAILED" && followed.resolve(now));
      await lose(path);
      const message = `Cannot use the KV file jobs.kv: ${what} while this process had it open.`;
      // Nobody calls: those who wait hear of it all the same.
      await assertRejects(() => wait, StoreLost, message);
      assertStringIncludes((await followed.promise).message ?? "", message);
      const calls = [
        () => create(backend),
        () => backend.get(task.id, OWNER),
        () => backend.outcome(task.id, OWNER),
        () => backend.cancel(task.id, OWNER, 0),
        () => backend.answer(task.id, OWNER, {}),
        () => backend.list(OWNER, { limit: 1 }),
        () => backend.check(),
      ];
      for (const call of calls) await assertRejects(call, StoreLost, message);
    }));
}

testUnless(
  heldOpen,
  "KV: no task is acknowledged if it was written into a file that is gone",
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/jobs.kv`;
      await using backend = await DenoKvBackend.open({ path });
      await create(backend);
      await Deno.remove(path);
      await assertRejects(() => create(backend), StoreLost);
    }),
);

testUnless(heldOpen, "KV: once a missing file is put back, calls succeed again", () =>
  inFolder(async (folder) => {
    const path = `${folder}/jobs.kv`;
    await using backend = await DenoKvBackend.open({ path });
    const task = await create(backend);
    await Deno.rename(path, `${path}.away`);
    await assertRejects(() => backend.check(), StoreLost);
    await Deno.rename(`${path}.away`, path);
    await backend.check();
    assertEquals(await backend.get(task.id, OWNER), task);
  }));

testUnless(
  heldOpen,
  "KV: /healthz is 503 and calls fail as soon as the file is gone",
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/jobs.kv`;
      await using server = fixtureServer("operation", await DenoKvBackend.open({ path }));
      const raw = await Raw.open(server.fetch);
      const taskId = await raw.start("contract");
      await Deno.remove(path);
      const health = await server.fetch(new Request("http://localhost/healthz"));
      const body = { status: "unavailable", error: "The backend takes no tasks." };
      assertEquals([health.status, await health.json()], [503, body]);
      const why = "it was deleted or moved while this process had it open";
      for (
        const { error } of [
          await raw.ask("tasks/get", { taskId }),
          await raw.ask("tasks/result", { taskId }),
          await raw.ask("tools/call", { name: "contract", arguments: {}, task: {} }),
        ]
      ) {
        assertEquals(error?.code, -32603);
        assertStringIncludes(error?.message, why);
      }
      const { result } = await raw.ask("tools/call", { name: "contract", arguments: {} });
      assertEquals(result?.isError, true);
      assertStringIncludes(result?.content[0].text, why);
    }),
);

const noModes = Deno.build.os === "windows" ? "Windows has no such rights" : undefined;

/** The rights of everything in a folder, by its name with those of a process cut off. */
async function modesIn(folder: string): Promise<readonly (readonly [name: string, mode: string])[]> {
  const modes: [string, string][] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const { mode } = await Deno.stat(`${folder}/${name}`);
    modes.push([name.replace(/^[0-9a-f-]{36}/, "<process>"), ((mode ?? 0) & 0o777).toString(8)]);
  }
  return modes.toSorted();
}

testUnless(
  noModes,
  "KV: the file, what stands beside it, and the folders that are made belong to their user alone",
  () =>
    inFolder(async (folder) => {
      await Deno.chmod(folder, 0o755);
      await using backend = await DenoKvBackend.open({ path: `${folder}/some/where/jobs.kv` });
      await create(backend);
      assertEquals(await modesIn(folder), [["some", "700"]]);
      assertEquals(await modesIn(`${folder}/some`), [["where", "700"]]);
      assertEquals(await modesIn(`${folder}/some/where`), [
        ["jobs.kv", "600"],
        ["jobs.kv-shm", "600"],
        ["jobs.kv-wal", "600"],
        ["jobs.kv.wake", "700"],
      ]);
      assertEquals(await modesIn(`${folder}/some/where/jobs.kv.wake`), [
        ["<process>", "600"],
        ["<process>.ready", "600"],
      ]);
    }),
);

testUnless(
  noModes,
  "KV: the rights of a file and of folders that are there already stay as they are",
  () =>
    inFolder(async (folder) => {
      await Deno.writeFile(`${folder}/jobs.kv`, new Uint8Array(), { mode: 0o660 });
      await Deno.chmod(`${folder}/jobs.kv`, 0o660);
      await Deno.mkdir(`${folder}/jobs.kv.wake`);
      await Deno.chmod(`${folder}/jobs.kv.wake`, 0o770);
      await Deno.chmod(folder, 0o750);
      await using backend = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
      await create(backend);
      assertEquals(await modesIn(folder), [
        ["jobs.kv", "660"],
        ["jobs.kv-shm", "660"],
        ["jobs.kv-wal", "660"],
        ["jobs.kv.wake", "770"],
      ]);
      assertEquals(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o750);
    }),
);

testUnless(
  heldOpen,
  "KV: errors that no caller receives are written to stderr, at most ten lines for each kind",
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/jobs.kv`;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "--allow-all", import.meta.filename ?? "", path],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const decoded = (stream: ReadableStream<Uint8Array>) =>
        stream.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
      const [stdout, stderr] = [decoded(child.stdout), decoded(child.stderr)];
      let output = "";
      const reading = (async () => {
        for await (const text of { [Symbol.asyncIterator]: () => stderr }) output += text;
      })();
      try {
        assertEquals((await stdout.next()).value, "ready\n");
        await Deno.remove(path);
        await until(
          () =>
            ["renew the lease of a worker", "read the events of other processes"].every((of) => output.includes(of)),
          "the worker tells of what fails",
        );
      } finally {
        await child.stdin.close();
        await child.status;
        await reading;
        await stdout.return?.();
      }
      const lines: { where: string; error?: string; leftOut?: number }[] = output.trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      for (const { where, error, leftOut = 0 } of lines) {
        const isLost = error?.startsWith("Cannot use the KV file jobs.kv: it was deleted or moved") ?? leftOut > 0;
        assert(isLost, `${where}: ${error}`);
      }
      for (const named of Map.groupBy(lines, ({ where }) => where).values()) {
        assert(named.filter(({ error }) => error !== undefined).length <= 10, JSON.stringify(named));
      }
    }),
);

/** A worker with a short lease, as a process of its own. */
async function work(path: string): Promise<void> {
  await using backend = await DenoKvBackend.open({ path, lease: 300 });
  await using worker = createWorker(backend, [defineJob({ name: "job", input: { type: "object" }, run: () => {} })]);
  await worker.ready;
  console.log("ready");
  for await (const _ of Deno.stdin.readable);
}

if (import.meta.main) await work(Deno.args[0] ?? "");
