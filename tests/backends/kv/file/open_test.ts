import { DatabaseSync } from "node:sqlite";
import { BackendError, DenoKvBackend } from "../../../../mod.ts";
import { formatKey } from "../../../../src/backends/kv/keys.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

/** Holds the file at argv[0] as a process does that has just begun to set it up, until a line comes in. */
async function hold(path: string): Promise<void> {
  using database = new DatabaseSync(path);
  database.exec("BEGIN IMMEDIATE");
  console.log("held");
  await Deno.stdin.read(new Uint8Array(1));
  database.exec("COMMIT");
}

Deno.test("KV: a new file that another process is setting up is opened as soon as it is ready", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const other = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", import.meta.filename ?? "", path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = other.stdout[Symbol.asyncIterator]();
  try {
    assert(!(await output.next()).done);
    const opening = DenoKvBackend.open({ path });
    // Meanwhile its first try has met the lock, as these do.
    for (let i = 0; i < 20; i++) await assertRejects(() => Deno.openKv(path), Error, "database is locked");
    await other.stdin.close();
    await using _backend = await opening;
  } finally {
    await other.stdin.close().catch(() => {});
    await other.status;
    await output.return?.();
  }
});

Deno.test("KV: a file in another format is not opened, and stays as it is", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const write = async (format: number) => {
    using kv = await Deno.openKv(path);
    await kv.set(formatKey(), format);
  };
  const task = newTask();
  {
    await using backend = await DenoKvBackend.open({ path });
    await backend.create(task);
  }
  await write(2);
  await assertRejects(
    () => DenoKvBackend.open({ path }),
    BackendError,
    `Cannot open the KV file ${path}: its data have the format 2, and this version of mcp-jobs has 1. Use the version that`,
  );
  await write(1);
  {
    await using backend = await DenoKvBackend.open({ path });
    assertEquals((await backend.get(task.id, task.owner)).status, "PENDING");
  }
});

if (import.meta.main) await hold(Deno.args[0] ?? "");
