/**
 * Measures over HTTP, on revision 2026-07-28, what a client waits for: the call that creates a task, and `tasks/get`,
 * each beside the official SDK's own `tools/call` of a tool that does nothing: `deno task bench:http [--quick]`.
 */
import { hasRedisServer } from "../tools/redis_server.ts";
import { Place } from "../tools/place.ts";
import { parseArgs } from "../tools/std.ts";
import { percentile } from "./measure.ts";
import { askModern } from "./modern.ts";

const quick = parseArgs(Deno.args, { boolean: ["quick"] }).quick === true;
const REQUESTS = quick ? 500 : 5_000;
const IN_FLIGHT = [1, 32];

interface Figure {
  readonly perSecond: number;
  readonly p50: number;
}

async function withServer<T>(args: readonly string[], use: (url: string) => Promise<T>): Promise<T> {
  const script = new URL("http_server.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", script, ...args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const url = (await lines.read()).value?.trim() ?? "";
  try {
    return await use(url);
  } finally {
    await child.stdin.close();
    while (!(await lines.read()).done);
    await child.status;
  }
}

async function measure(inFlight: number, request: () => Promise<unknown>): Promise<Figure> {
  for (let i = 0; i < REQUESTS / 5; i++) await request();
  const times: number[] = [];
  let sent = 0;
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (sent++ < REQUESTS) {
      const sentAt = performance.now();
      await request();
      times.push(performance.now() - sentAt);
    }
  }));
  const perSecond = REQUESTS / ((performance.now() - start) / 1_000);
  return { perSecond, p50: percentile(times.sort((a, b) => a - b), 0.5) };
}

function show(what: string, { perSecond, p50 }: Figure, noop?: Figure): void {
  const share = noop ? `   ${(perSecond / noop.perSecond).toFixed(2)} of the no-op` : "";
  const figures = `${String(Math.round(perSecond)).padStart(6)} /s   p50 ${p50.toFixed(2)} ms`;
  console.log(`${what.padEnd(52)} ${figures}${share}`);
}

for (const inFlight of IN_FLIGHT) {
  const noop = await withServer(
    ["noop"],
    (url) => measure(inFlight, () => askModern(url, "tools/call", { name: "noop", arguments: {} })),
  );
  show(`the SDK's no-op tools/call, ${inFlight} in flight`, noop);
  for (const backend of hasRedisServer ? ["memory", "kv", "redis"] : ["memory", "kv"]) {
    await using place = await Place.make(backend);
    await withServer([backend, place.folder], async (url) => {
      const { taskId } = await askModern(url, "tools/call", { name: "runs", arguments: {} });
      const create = () => askModern(url, "tools/call", { name: "waits", arguments: {} });
      show(`${backend}: create a task, ${inFlight} in flight`, await measure(inFlight, create), noop);
      const get = () => askModern(url, "tasks/get", { taskId });
      show(`${backend}: tasks/get, ${inFlight} in flight`, await measure(inFlight, get), noop);
    });
  }
}
