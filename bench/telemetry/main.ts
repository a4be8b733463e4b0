/**
 * What traces and metrics cost: the processor time of a task in four processes, in turns. Two have no provider, and two have
 * Deno's own and export to a receiver. Of each two, one has no code of ours that makes spans or metrics.
 *
 * @module
 */
import { Place } from "../../tools/place.ts";
import { percentile } from "../measure.ts";
import { type Process, withProcess } from "../process.ts";
import { callTool } from "./calls.ts";
import { REPLACED } from "./none.ts";

const ROOT = new URL("../../", import.meta.url);

/** The first rounds warm up. */
const WARM_UP = 3;

/** What is measured, by its name. */
const WAYS = {
  "created by code": (process: Process, total: number) => process.ask(`create ${total}`),
  "created by a call over HTTP": async (process: Process, total: number) => {
    await callTool(process.first, total, IN_FLIGHT);
    return await process.ask("");
  },
  "run to its end": (process: Process, total: number) => process.ask(`run ${total}`),
};

const IN_FLIGHT = 32;

/** A processor time in µs: of the thread that runs the code, and of the whole process. */
type Time = readonly [thread: number, process: number];

/** The time of one task in each process. */
type Times = readonly Time[];

/** What one way costs: the time of one task without and with our spans and metrics. */
export interface Cost {
  readonly way: string;
  readonly provider: boolean;
  readonly none: Time;
  readonly ours: Time;
}

/** Measures a backend, with `total` tasks of each way in each process in every round. */
export async function telemetryCost(backend: string, total: number, rounds: number): Promise<readonly Cost[]> {
  await using stack = new AsyncDisposableStack();
  let exported = 0;
  const receiver = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    exported += (await request.arrayBuffer()).byteLength;
    return new Response();
  });
  stack.defer(() => receiver.shutdown());
  const places: Place[] = [];
  for (let i = 0; i < 4; i++) places.push(stack.use(await Place.make(backend)));
  const map = `${places[0]?.folder}/imports.json`;
  await Deno.writeTextFile(map, await importsWithoutTelemetry());
  const otlp = {
    OTEL_DENO: "true",
    OTEL_DENO_CONSOLE: "ignore",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.addr.port}`,
  };
  const scripts = places.map(({ folder }, index) => ({
    script: "telemetry/child.ts",
    args: [backend, folder],
    flags: index % 2 === 0 ? ["--no-check", "--import-map", map] : ["--no-check"],
    env: index < 2 ? {} : otlp,
  }));
  const measured = await withProcesses(scripts, (processes) => inRounds(processes, total, rounds));
  if (exported === 0) throw new Error("The provider has exported nothing.");
  return measured;
}

/** Starts these scripts, and uses them all. */
function withProcesses<T>(
  [script, ...others]: readonly Parameters<typeof withProcess>[0][],
  use: (processes: readonly Process[]) => Promise<T>,
): Promise<T> {
  if (script === undefined) return use([]);
  return withProcess(script, (process) => withProcesses(others, (rest) => use([process, ...rest])));
}

/** Measures each way in each process, round by round; each is the first in turn. */
async function inRounds(processes: readonly Process[], total: number, rounds: number): Promise<readonly Cost[]> {
  const measured = Object.keys(WAYS).map((): Times[] => []);
  for (let round = 0; round < WARM_UP + rounds; round++) {
    for (const [index, way] of Object.values(WAYS).entries()) {
      const times: Time[] = [];
      for (let turn = 0; turn < processes.length; turn++) {
        const at = (round + turn) % processes.length;
        const process = processes[at];
        if (process) times[at] = await timeOf(() => process.ask(""), () => way(process, total), total);
      }
      if (round >= WARM_UP) measured[index]?.push(times);
    }
  }
  return Object.keys(WAYS).flatMap((way, index) => costsOf(way, measured[index] ?? []));
}

/** The processor time that each of `total` takes in `act`; both functions resolve with that so far. */
async function timeOf(before: () => Promise<string>, act: () => Promise<string>, total: number): Promise<Time> {
  const [thread, process]: Time = JSON.parse(await before());
  const [threadNow, processNow]: Time = JSON.parse(await act());
  return [(threadNow - thread) / total, (processNow - process) / total];
}

/** The lower quartiles of all rounds, because whatever else the machine does only adds to a time. */
function costsOf(way: string, rounds: readonly Times[]): readonly Cost[] {
  const quartile = (process: number, of: 0 | 1) =>
    percentile(rounds.map((times) => times[process]?.[of] ?? NaN).sort((a, b) => a - b), 0.25);
  const time = (process: number): Time => [quartile(process, 0), quartile(process, 1)];
  return [
    { way, provider: false, none: time(0), ours: time(1) },
    { way, provider: true, none: time(2), ours: time(3) },
  ];
}

/** The project's import map, with nothing in the place of telemetry. */
async function importsWithoutTelemetry(): Promise<string> {
  const { imports }: { readonly imports: Readonly<Record<string, string>> } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  // In an import map of its own, the parts of a package need an entry.
  const parts = Object.entries(imports).map(([name, to]) => [`${name}/`, `${to.replace(/^(npm|jsr):/, "$1:/")}/`]);
  const none = REPLACED.map((file) => [new URL(file, ROOT).href, new URL("bench/telemetry/none.ts", ROOT).href]);
  return JSON.stringify({ imports: { ...imports, ...Object.fromEntries([...parts, ...none]) } });
}
