/**
 * Whether anything grows: `deno task soak [--backend kv|redis|postgres] [--tasks 50000]`. Clients send tasks over HTTP and read
 * their results, one task in four in a session of 2025-11-25 that lasts to the end; the memory of server and worker, and the
 * connections to the database, are measured five times on the way. Ends with status 1 if the last measurement exceeds
 * the second by a tenth and 4 MB, or has more connections; on PostgreSQL, where pools open and close them, more than the pools
 * may hold. (The first comes before every cache is full.)
 */
import pg from "pg";
import type { Backend } from "../mod.ts";
import { openBackend, Place, SHARED_BACKENDS } from "../tools/place.ts";
import { readOptions } from "../tools/options.ts";
import { askModern } from "./http/modern.ts";
import { Session } from "./http/session.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { type Process, withProcess } from "./process.ts";

const SAMPLES = 5;
const IN_FLIGHT = 64;

/** What the pools of the three processes may hold on PostgreSQL, each with a connection that listens. */
const POOLED = 3 * (6 + 1);

const { backend: name, tasks: total } = readOptions({ backend: SHARED_BACKENDS, tasks: 50_000 });

/** A process that tells its memory when it is asked. */
function withSoakProcess(role: string, folder: string, use: (process: Process) => Promise<void>): Promise<void> {
  return withProcess({ script: "soak_process.ts", args: [role, name, folder], flags: ["--v8-flags=--expose-gc"] }, use);
}

/** How many connections the database has. */
async function connections({ redisUrl, postgresUrl }: Place): Promise<number> {
  if (redisUrl !== undefined) {
    const { port } = new URL(redisUrl);
    const { stdout } = await new Deno.Command("redis-cli", { args: ["-p", port, "client", "list"] }).output();
    return new TextDecoder().decode(stdout).trim().split("\n").length;
  }
  if (postgresUrl === undefined) return 0;
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  const { rows } = await client.query("SELECT FROM pg_stat_activity WHERE backend_type = 'client backend'");
  await client.end();
  return rows.length;
}

const megabytes = (bytes: number) => (bytes / 1_048_576).toFixed(1).padStart(7);

interface Sample {
  readonly server: Memory;
  readonly worker: Memory;
  readonly connections: number;
}

await using place = await Place.make(name);
const samples: Sample[] = [];
await withSoakProcess(
  "worker",
  place.folder,
  (worker) => withSoakProcess("server", place.folder, (server) => soak(server, worker)),
);

const [second, last] = [samples[1], samples.at(-1)];
if (second && last) {
  const grown = (["server", "worker"] as const)
    .filter((role) => last[role].heapUsed > second[role].heapUsed * 1.1 + 4 * 1_048_576);
  if (last.connections > (place.postgresUrl === undefined ? second.connections : POOLED)) grown.push("server");
  console.log(grown.length === 0 ? "Nothing has grown." : `Has grown: ${grown.join(", ")}.`);
  if (grown.length > 0) Deno.exitCode = 1;
}

/** Sends all tasks, and measures the processes on the way. */
async function soak(server: Process, worker: Process): Promise<void> {
  await using backend = await openBackend(name, place.folder);
  const session = await Session.begin(server.first);
  console.log("   tasks   server heap   server rss   worker heap   worker rss  (MB)   connections");
  for (let number = 1; number <= SAMPLES; number++) {
    await runTasks(server.first, session, backend, total / SAMPLES);
    const found = {
      server: await memoryOf(server),
      worker: await memoryOf(worker),
      connections: await connections(place),
    };
    samples.push(found);
    const figures = [found.server.heapUsed, found.server.rss, found.worker.heapUsed, found.worker.rss].map(megabytes);
    console.log(
      `${String(number * total / SAMPLES).padStart(8)}   ${figures.join("      ")}           ${found.connections}`,
    );
  }
}

/** Sends tasks, and reads the result of each once the feed tells that it is there. */
async function runTasks(url: string, session: Session, backend: Backend, count: number): Promise<void> {
  const ended = new Map<string, () => void>();
  const early = new Set<string>();
  const stop = backend.watch((event) => {
    if (event.kind !== "change" || event.task.status !== "COMPLETED") return;
    const finish = ended.get(event.task.id);
    if (finish) finish();
    else early.add(event.task.id);
  });
  let sent = 0;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (sent++ < count) {
      if (sent % 4 === 0) {
        await session.runTask("tick");
        continue;
      }
      const { taskId } = await askModern(url, "tools/call", { name: "tick", arguments: {} });
      const id = String(taskId);
      if (!early.delete(id)) await new Promise<void>((resolve) => ended.set(id, resolve));
      ended.delete(id);
      const { status } = await askModern(url, "tasks/get", { taskId });
      if (status !== "completed") throw new Error(`Task ${id} is ${status} after it has completed.`);
    }
  }));
  stop();
}
