/**
 * Measures over HTTP, on revision 2026-07-28, what a client waits for: the call that creates a task, `tasks/get`,
 * and the plain call of a job that ends at once, each beside the official SDK's own `tools/call` of a tool that does
 * nothing; and the memory of a plain call that waits: `deno task bench:http [--quick]
 * [--backend memory|kv|redis|postgres]`.
 */
import { BACKENDS, Place } from "../../tools/place.ts";
import { readOptions } from "../../tools/options.ts";
import { percentile } from "../measure.ts";
import { missingFor } from "../missing.ts";
import { processorTimeOf } from "../memory.ts";
import { askModern } from "./modern.ts";
import { type Process, withProcess } from "../process.ts";
import { memoryPerWaitingCall, type WaitingCall } from "./waiting.ts";

const { backend: wanted, quick } = readOptions({ backend: ["all", ...BACKENDS], quick: false });
const REQUESTS = quick ? 500 : 5_000;
const ROUNDS = 10;
const IN_FLIGHT = [1, 32];

interface Figure {
  readonly perSecond: number;
  readonly p50: number;
  /** What a request costs the server, in microseconds: this depends less than the rest on what else the machine does. */
  readonly processorTime: number;
}

function withServer<T>(args: readonly string[], use: (server: Process) => Promise<T>): Promise<T> {
  // Without this flag Deno warns of what the SDK does with a request's signal; ours does without.
  const flags = ["--unstable-no-legacy-abort", "--v8-flags=--expose-gc"];
  return withProcess({ script: "http/server.ts", args, flags }, use);
}

/** What one request costs, over all rounds. */
class Load {
  readonly #server: Process;
  readonly #inFlight: number;
  readonly #request: () => Promise<unknown>;
  readonly #times: number[] = [];
  #spent = 0;
  #processorTime = 0;

  constructor(server: Process, inFlight: number, request: () => Promise<unknown>) {
    this.#server = server;
    this.#inFlight = inFlight;
    this.#request = request;
  }

  /** Sends so many requests, and counts them unless they only warm up. */
  async round(requests: number, warmUp = false): Promise<void> {
    const times: number[] = [];
    let sent = 0;
    const before = await processorTimeOf(this.#server);
    const start = performance.now();
    await Promise.all(Array.from({ length: this.#inFlight }, async () => {
      while (sent++ < requests) {
        const sentAt = performance.now();
        await this.#request();
        times.push(performance.now() - sentAt);
      }
    }));
    if (warmUp) return;
    this.#spent += performance.now() - start;
    this.#processorTime += await processorTimeOf(this.#server) - before;
    this.#times.push(...times);
  }

  get figure(): Figure {
    const times = this.#times.toSorted((a, b) => a - b);
    return {
      perSecond: times.length / (this.#spent / 1_000),
      p50: percentile(times, 0.5),
      processorTime: this.#processorTime / times.length,
    };
  }
}

function show(what: string, { perSecond, p50, processorTime }: Figure, noop?: Figure): void {
  const share = noop ? `   ${(perSecond / noop.perSecond).toFixed(2)} of the no-op` : "";
  const times = `p50 ${p50.toFixed(2)} ms   ${String(Math.round(processorTime)).padStart(5)} µs of the processor`;
  const figures = `${String(Math.round(perSecond)).padStart(6)} /s   ${times}`;
  console.log(`${what.padEnd(52)} ${figures}${share}`);
}

function isWanted(backend: string): boolean {
  return wanted === "all" ? missingFor(backend) === undefined : wanted === backend;
}

for (const inFlight of IN_FLIGHT) {
  for (const backend of BACKENDS.filter(isWanted)) {
    await using place = await Place.make(backend);
    await withServer(["noop"], (noopServer) =>
      withServer([backend, place.folder], async (server) => {
        const { first: noopUrl } = noopServer;
        const { first: url } = server;
        const { taskId } = await askModern(url, "tools/call", { name: "runs", arguments: {} });
        const noop = new Load(noopServer, inFlight, () =>
          askModern(noopUrl, "tools/call", { name: "noop", arguments: {} }));
        const create = new Load(server, inFlight, () =>
          askModern(url, "tools/call", { name: "waits", arguments: {} }));
        const get = new Load(server, inFlight, () =>
          askModern(url, "tasks/get", { taskId }));
        const plain = new Load(
          server,
          inFlight,
          () => askModern(url, "tools/call", { name: "ends", arguments: {} }, { tasks: false }),
        );
        const loads = [noop, create, get, plain];
        for (const load of loads) await load.round(REQUESTS / ROUNDS, true);
        // In turns, so that other load on the machine affects all alike.
        for (let round = 0; round < ROUNDS; round++) {
          for (const load of loads) await load.round(REQUESTS / ROUNDS);
        }
        show(`${backend}: the SDK's no-op tools/call, ${inFlight} in flight`, noop.figure);
        show(`${backend}: create a task, ${inFlight} in flight`, create.figure, noop.figure);
        show(`${backend}: tasks/get, ${inFlight} in flight`, get.figure, noop.figure);
        show(`${backend}: plain call of a job that ends at once, ${inFlight}`, plain.figure, noop.figure);
      }));
  }
}

const kilobytes = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KB`.padStart(9);
const showMemory = (what: string, { heap, rss }: WaitingCall) =>
  console.log(`${`${what}, waiting`.padEnd(52)} ${kilobytes(heap)} of heap, ${kilobytes(rss)} of the process`);
showMemory("the SDK's tools/call", await withServer(["noop"], (server) => memoryPerWaitingCall(server, "waits")));
for (const backend of BACKENDS.filter(isWanted)) {
  await using place = await Place.make(backend);
  await withServer(
    [backend, place.folder],
    async (server) => showMemory(`${backend}: plain call`, await memoryPerWaitingCall(server, "waits_plainly")),
  );
}
