/**
 * A system with a worker and its live page, for one test.
 *
 * @module
 */
import { type Backend, content, createWorker, defineJob, image, type Job, type Json, text } from "../../../mod.ts";
import { serveDashboard } from "../../../src/dashboard/mod.ts";
import { newTaskId } from "../../../src/ids.ts";

/** A red picture of 8 by 8 pixels. */
const PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR4nGO4oaGBFTEMLQkAVO1GAZk6QbYAAAAASUVORK5CYII=";

/** What the code of tasks waits for, by their input's `name`. */
export class Gates {
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();

  /** Lets the code that waits here go on, now or later. */
  open(name: string): void {
    this.#gate(name).resolve();
  }

  /** Waits until the gate is open, or the signal aborts. */
  async pass(name: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve());
    await Promise.race([this.#gate(name).promise, promise]);
    signal.throwIfAborted();
  }

  #gate(name: string): PromiseWithResolvers<void> {
    const gate = this.#gates.get(name) ?? Promise.withResolvers<void>();
    this.#gates.set(name, gate);
    return gate;
  }
}

/** A system with its page. */
export interface System extends AsyncDisposable {
  readonly url: string;
  readonly gates: Gates;
  /** Whether the code of the task with this name was told to stop. */
  readonly stopped: ReadonlySet<string>;
  /** Ends the page. */
  endPage(): Promise<void>;
  /** Serves it again at the same URL. */
  servePage(): Promise<void>;
  /** Creates a task. Resolves with its id. */
  start(job: string, input?: Json, owner?: string): Promise<string>;
}

/** Starts a worker and serves the page. Closing it closes the backend, too. */
export async function startSystem(backend: Backend): Promise<System> {
  const gates = new Gates();
  const stopped = new Set<string>();
  await using opened = new AsyncDisposableStack();
  opened.use(backend);
  const worker = opened.use(createWorker(backend, jobs(gates, stopped), { concurrency: 4, onError: () => {} }));
  await worker.ready;
  let dashboard = await serveDashboard(backend);
  const { url } = dashboard;
  opened.defer(() => dashboard[Symbol.asyncDispose]());
  const all = opened.move();
  return {
    url,
    gates,
    stopped,
    endPage: async () => await dashboard[Symbol.asyncDispose](),
    servePage: async () => {
      const { port, hash } = new URL(url);
      dashboard = await serveDashboard(backend, { port: Number(port), token: hash.slice("#token=".length) });
    },
    start: async (job, input = {}, owner = "me") => {
      const retry = { attempts: job === "flaky" ? 2 : 1, delay: 1, maxDelay: 1 };
      const task = { id: newTaskId(), job, owner, input, resultTtl: 3_600_000, retry };
      return (await backend.create(task)).id;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function jobs(gates: Gates, stopped: Set<string>): readonly Job[] {
  const input = { type: "object", properties: { name: { type: "string" } } } as const;
  const nameOf = (value: unknown) => String(Object(value).name ?? "");
  return [
    defineJob({
      name: "draw_chart",
      input,
      run: async (value, ctx) => {
        const name = nameOf(value);
        ctx.signal.addEventListener("abort", () => void stopped.add(name));
        await ctx.step("axes", () => "drawn");
        await ctx.log("The axes are drawn");
        await ctx.progress(0.5, "half of it is drawn");
        await gates.pass(name, ctx.signal);
        const parts = [text("Revenue by month"), image(Uint8Array.fromBase64(PICTURE), "image/png")];
        return content(parts, { structuredContent: { months: 12 } });
      },
    }),
    defineJob({
      name: "flaky",
      input,
      run: () => {
        throw new Error("The mail server is down");
      },
    }),
  ];
}
