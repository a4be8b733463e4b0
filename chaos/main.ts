/**
 * The chaos run: `deno task chaos [--backend kv|redis|postgres] [--tasks 2000] [--seed 1]`. Clients send tasks over MCP,
 * workers run them, and all the while workers, servers and the database are killed with SIGKILL. Ends with status 0 only if nothing was
 * lost and nothing doubled.
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { parseArgs } from "../tools/std.ts";
import { openBackend, Place } from "../tools/place.ts";
import { randomFrom } from "../tools/random.ts";
import { LEASE_MS } from "./job.ts";
import { Ledger, type Planned, type Told } from "./ledger.ts";
import { Connection, WorkerProcess } from "./processes.ts";
import { RecoveryWatch } from "./recovery.ts";

const PRODUCERS = 2;
const WORKERS = 3;
const IN_FLIGHT = 32;
const TICK_MS = 250;
const KILL_CHANCE = 0.08;
const RESTART_CHANCE = 0.02;
const FAIL_SHARE = 0.05;

const options = parseArgs(Deno.args, {
  string: ["backend", "tasks", "seed"],
  default: { backend: "kv", tasks: "2000", seed: "1" },
});
const backendName = String(options.backend);
const total = Number(options.tasks);
const random = randomFrom(Number(options.seed));

await using place = await Place.make(backendName, { persistent: true });
const args = [backendName, place.folder];
const ledger = new Ledger();
const started = Date.now();
let kills = { worker: 0, server: 0, database: 0 };

await using backend = await openBackend(backendName, place.folder, LEASE_MS);
using recovery = new RecoveryWatch(backend);
const workers = await Promise.all(Array.from({ length: WORKERS }, () => WorkerProcess.start(args)));
const connections = Array.from({ length: PRODUCERS }, () => new Connection(args));

let next = 0;
const produced = Promise.all(connections.flatMap((connection) =>
  Array.from({ length: IN_FLIGHT }, async () => {
    while (next < total) await sendAndAwait(connection, plan(next++));
  })
));
const calm = new AbortController();
const chaos = makeChaos(calm.signal);
await produced;
calm.abort();
await chaos;

// Every end is asked for once more, from a server that saw none of it.
const verifier = new Connection(args);
for (const id of ledger.ids) ledger.told(id, await ask(verifier, id));
await Promise.all([verifier, ...connections].map((connection) => connection.close()));
await Promise.all(workers.map((worker) => worker.stop()));

const verdict = ledger.judge();
const rows: [string, string | number][] = [
  ["backend", backendName],
  ["sent", verdict.sent],
  ["completed", verdict.completed],
  ["failed as planned", verdict.failedAsPlanned],
  ["lost", verdict.lost],
  ["results doubled", verdict.doubled],
  ["workers killed", kills.worker],
  ["servers killed", kills.server],
  ["database killed", kills.database],
  ["slowest recovery", `${(recovery.slowest / 1_000).toFixed(1)} s`],
  ["time in all", `${((Date.now() - started) / 1_000).toFixed(0)} s`],
];
for (const [what, figure] of rows) console.log(`${what.padEnd(20)} ${figure}`);
for (const example of verdict.examples) console.error(example);
if (verdict.lost > 0 || verdict.doubled > 0 || verdict.sent !== total) Deno.exitCode = 1;

function plan(number: number): Planned {
  return { number, ms: Math.floor(random() * 30), fail: random() < FAIL_SHARE };
}

async function sendAndAwait(connection: Connection, planned: Planned): Promise<void> {
  const request = {
    method: "tools/call" as const,
    params: { name: "step", arguments: { ...planned }, task: { ttl: 3_600_000 } },
  };
  const created = await connection.use((client) => client.request(request, CreateTaskResultSchema));
  ledger.sent(created.task.taskId, planned);
  ledger.told(created.task.taskId, await ask(connection, created.task.taskId));
}

/** Asks for the result and waits for it. */
async function ask(connection: Connection, taskId: string): Promise<Told> {
  try {
    const result = await connection.use((client) =>
      client.request({ method: "tasks/result", params: { taskId } }, CallToolResultSchema, { timeout: 300_000 })
    );
    const text = result.structuredContent ? JSON.stringify(result.structuredContent) : JSON.stringify(result.content);
    return { kind: result.isError ? "failed" : "completed", text };
  } catch (error) {
    return { kind: "unknown", text: String(error) };
  }
}

async function makeChaos(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    for (const [index, worker] of workers.entries()) {
      if (random() >= KILL_CHANCE) continue;
      kills = { ...kills, worker: kills.worker + 1 };
      recovery.killed();
      await worker.kill();
      workers[index] = await WorkerProcess.start(args);
    }
    if (place.hasDatabase && random() < RESTART_CHANCE) {
      kills = { ...kills, database: kills.database + 1 };
      await place.restartDatabase();
    }
    for (const connection of connections) {
      if (random() >= KILL_CHANCE) continue;
      kills = { ...kills, server: kills.server + 1 };
      await connection.kill();
    }
  }
}
