/**
 * One of the processes that are compared: `child.ts <backend> <folder>`. It says where it serves, and answers each line on
 * stdin with the processor time so far, in µs: that of its thread, which Linux knows, and that of the whole process. First it does what the line says: `create 100` tasks, or
 * `run 100` of them to their end.
 */
import { cpuUsage } from "node:process";
import { AsyncToolServer, createWorker, PollingExposureStrategy } from "../../mod.ts";
import { NO_LIMITS, openBackend } from "../../tools/place.ts";
import { ToolRegistry } from "../../strategy.ts";
import { tick } from "../jobs.ts";
import { throughput } from "../measure.ts";
import { waiting } from "./calls.ts";
import { Tasks } from "../../src/tasks/tasks.ts";

const [name = "", folder = ""] = Deno.args;
const IN_FLIGHT = 64;

await using backend = await openBackend(name, folder);
await using worker = createWorker(backend, [tick], { concurrency: 100 });
await worker.ready;
const server = new AsyncToolServer({
  name: "bench",
  version: "1.0.0",
  backend,
  strategy: new PollingExposureStrategy(),
  limits: NO_LIMITS,
  audit: () => {},
});
server.registerAsyncTool(waiting);
const listening = Promise.withResolvers<string>();
const end = new AbortController();
const running = server.run({ transport: "http", port: 0, onListen: listening.resolve, signal: end.signal });
using tasks = new Tasks(backend, Date.now, { limits: NO_LIMITS });
const registry = new ToolRegistry();
const [ticking, idle] = [registry.register(tick), registry.register(waiting)];

/** Creates so many tasks that nobody runs. */
async function create(total: number): Promise<void> {
  const one = async () => {
    while (total-- > 0) await tasks.start(idle, {}, "bench");
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
}

/** The processor time of the thread that runs the code, in µs; spans are exported by another one. */
async function threadTime(): Promise<number> {
  const [ns] = (await Deno.readTextFile(`/proc/self/task/${Deno.pid}/schedstat`)).split(" ");
  return Number(ns) / 1_000;
}

const say = (text: string) => Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
await say(await listening.promise);
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
for (let line = await lines.read(); !line.done; line = await lines.read()) {
  const [what, total] = line.value.trim().split(" ");
  if (what === "create") await create(Number(total));
  if (what === "run") await throughput(backend, Number(total), IN_FLIGHT, () => tasks.start(ticking, {}, "bench"));
  const { user, system } = cpuUsage();
  await say(JSON.stringify([await threadTime(), user + system]));
}
end.abort();
await running;
