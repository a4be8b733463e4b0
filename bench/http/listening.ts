/**
 * Many clients of revision 2026-07-28, each listening to a task of its own over HTTP, in one process with the server.
 * Every notification is checked: missed, doubled and disordered ones are counted.
 */
import { type Backend, createWorker, defineJob, OperationResourceStrategy } from "../../mod.ts";
import { ToolRegistry } from "../../strategy.ts";
import { HttpEndpoint } from "../../src/mcp/http/endpoint.ts";
import { listen } from "../../src/mcp/http/listen.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { pause } from "../../src/waiting.ts";
import { NO_LIMITS } from "../../tools/place.ts";
import { now } from "../jobs.ts";
import { sendModern } from "./modern.ts";

/** What was seen. */
export interface Notified {
  /** From the end of a task, as its record says, until its listener had read of it, in ms; the smallest first. */
  readonly latencies: readonly number[];
  /** Listeners that were never notified of the end. */
  readonly missed: number;
  /** Listeners that were notified of it twice. */
  readonly doubled: number;
  /** Listeners that received an older state after a newer one. */
  readonly disordered: number;
  /** How many tasks are still followed once every listener is gone. */
  readonly leftBehind: number;
}

/** How long all of it may take, in ms. */
const TIMEOUT_MS = 60_000;

/** Lets `count` clients listen to the end of their tasks, and as many go away before. */
export async function listening(backend: Backend, count: number): Promise<Notified> {
  const gate = Promise.withResolvers<void>();
  const job = defineJob({
    name: "wait",
    input: { type: "object" },
    run: async (_input, ctx) => {
      await gate.promise;
      // Tasks end one by one, not all in the same moment.
      await pause(400 * Math.random());
      for (const part of [0.25, 0.5, 0.75]) await ctx.progress(part);
      return { done: true };
    },
  });
  const registered = new ToolRegistry().register(job);
  using tasks = new Tasks(backend, Date.now, { limits: NO_LIMITS });
  const surface = new OperationResourceStrategy({ notifications: true }).expose(registered, tasks);
  const streams = {
    append: () => Promise.resolve(),
    readAfter: () => Promise.resolve([]),
    clear: () => Promise.resolve(),
  };
  const served = { name: "bench", version: "1.0.0", surface, tasks, maxMessageBytes: 1_000_000, extensions: [] };
  await using endpoint = new HttpEndpoint(served, {
    streams,
    documents: backend.documents,
    checkHealth: () => Promise.resolve(),
  });
  const end = new AbortController();
  const listens = Promise.withResolvers<string>();
  const serving = listen(
    { port: 0, hostname: "127.0.0.1", onListen: listens.resolve, onError: console.error, signal: end.signal },
    (request) => endpoint.fetch(request),
    () => endpoint[Symbol.asyncDispose](),
  );
  const url = await listens.promise;
  const ids = await Promise.all(
    Array.from({ length: count }, async () => (await tasks.start(registered, {}, "anonymous")).id),
  );
  for (const id of ids) await new Listener(url, id).leave();
  const listeners = ids.map((id) => new Listener(url, id));

  await Promise.all(listeners.map(({ ready }) => ready));
  await using _worker = createWorker(backend, [job], { concurrency: 200 });
  gate.resolve();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
  await Promise.race([
    Promise.all(listeners.map(({ ended }) => ended)),
    new Promise((resolve) => late.signal.addEventListener("abort", resolve)),
  ]);
  clearTimeout(timer);
  // Whatever is sent after the end would come before the answer to this.
  await fetch(url).then((response) => response.body?.cancel());
  await Promise.all(listeners.map((listener) => listener.leave()));
  end.abort();
  await serving;
  return {
    latencies: listeners.flatMap(({ latency }) => latency ?? []).sort((a, b) => a - b),
    missed: listeners.filter(({ ends }) => ends === 0).length,
    doubled: listeners.filter(({ ends }) => ends > 1).length,
    disordered: listeners.filter(({ disordered }) => disordered).length,
    leftBehind: tasks.watched,
  };
}

interface Message {
  readonly method: string;
  readonly params: { readonly status?: string; readonly statusMessage?: string; readonly lastUpdatedAt?: string };
}

/** One client, and what it has received. */
class Listener {
  readonly #acknowledged = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;
  #reader: ReadableStreamDefaultReader<string> | undefined;
  #progress = -1;
  /** Resolves once the server has acknowledged it. */
  readonly ready: Promise<void> = this.#acknowledged.promise;
  /** Resolves once it was notified of the end. */
  readonly ended: Promise<void> = this.#ended.promise;
  latency: number | undefined;
  ends = 0;
  disordered = false;

  constructor(url: string, taskId: string) {
    this.#reading = this.#read(url, taskId).catch(this.#acknowledged.reject);
  }

  /** Leaves, once the server has acknowledged it. */
  async leave(): Promise<void> {
    await this.ready;
    await this.#reader?.cancel();
    await this.#reading;
  }

  async #read(url: string, taskId: string): Promise<void> {
    const { body } = await sendModern(url, "subscriptions/listen", { notifications: { taskIds: [taskId] } });
    const reader = this.#reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
      const events = (text + chunk.value).split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data: "))?.slice(6);
        if (data) this.#receive(JSON.parse(data));
      }
    }
  }

  #receive({ method, params }: Message): void {
    if (method === "notifications/subscriptions/acknowledged") this.#acknowledged.resolve();
    if (method !== "notifications/tasks") return;
    const { status, statusMessage = "0 %", lastUpdatedAt = "" } = params;
    const progress = status === "completed" ? 101 : parseInt(statusMessage);
    if (progress < this.#progress || this.ends > 0) this.disordered = true;
    this.#progress = progress;
    if (status !== "completed") return;
    this.ends++;
    this.latency ??= now() - Date.parse(lastUpdatedAt);
    this.#ended.resolve();
  }
}
