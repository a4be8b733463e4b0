/**
 * A process with a wrong clock, which runs a worker or creates a task. Arguments: by how many ms its clock is fast, and what
 * to do, as JSON. It ends with its stdin, so that it does not outlive its test.
 *
 * @module
 */
import type { BullMqOptions, NewTask } from "../../../backend.ts";

/** What such a process does. */
export type Deed =
  | { readonly what: "work"; readonly options: BullMqOptions; readonly job: string; readonly run: Run }
  /** A worker of BullMQ's own. */
  | { readonly what: "work plainly"; readonly options: BullMqOptions; readonly queue: string; readonly run: Run }
  | { readonly what: "create"; readonly options: BullMqOptions; readonly task: NewTask };

/** What its job does: returns, throws, or never ends. */
type Run = "return" | "throw" | "hang";

/** Starts such a process, which ends with the test. Resolves once its worker takes tasks, or its task is stored. */
export async function startWithWrongClock(ahead: number, deed: Deed): Promise<AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", import.meta.filename ?? "", `${ahead}`, JSON.stringify(deed)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  if (done) throw new Error(`The process whose clock is wrong has ended with ${(await child.status).code}.`);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      await child.stdin.close().catch(() => {}); // Its other end is gone.
    },
  };
}

/** Sets every clock of the process wrong, except the one that only measures how much time has passed. */
function putClockAhead(ms: number): void {
  const now = Date.now.bind(Date);
  const WrongDate = class extends Date {
    constructor(...args: [] | [number]) {
      super(...(args.length === 0 ? [now() + ms] as const : args));
    }
    static override now = () => now() + ms;
  };
  globalThis.Date = WrongDate as DateConstructor;
}

async function run(how: Run): Promise<string> {
  if (how === "hang") await new Promise(() => {});
  if (how === "throw") throw new Error("no");
  return "done";
}

async function perform(deed: Deed): Promise<void> {
  // Loaded only after the clock was set wrong, and no more than it needs: that takes most of the time of such a process.
  if (deed.what === "work plainly") {
    const { Worker } = await import("bullmq");
    const { queue, options: { redis: url, prefix } } = deed;
    const worker = new Worker(queue, () => run(deed.run), { connection: { url }, prefix });
    worker.once("failed", () => void worker.close()); // By its clock, the retry would be due at once.
    return void await worker.waitUntilReady();
  }
  const { BullMqBackend } = await import("../../../src/backends/bullmq/mod.ts");
  const backend = await BullMqBackend.connect(deed.options);
  if (deed.what === "create") return void await backend.create(deed.task);
  const [{ defineJob }, { createWorker }] = await Promise.all([
    import("../../../src/job.ts"),
    import("../../../src/worker.ts"),
  ]);
  const job = defineJob({ name: deed.job, input: { type: "object" }, run: () => run(deed.run) });
  await createWorker(backend, [job]).ready;
}

if (import.meta.main) {
  const [ahead = "", deed = ""] = Deno.args;
  putClockAhead(Number(ahead));
  await perform(JSON.parse(deed));
  console.log("ready");
  for await (const _ of Deno.stdin.readable);
  Deno.exit();
}
