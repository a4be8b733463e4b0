/**
 * A worker that takes tasks and never ends them, to be killed. Arguments: the options of its backend, as JSON, and the
 * job's name. It ends with its stdin, so that it does not outlive its test.
 *
 * @module
 */
import type { BullMqOptions, PostgresOptions } from "../../../backend.ts";
import type { Backend } from "../../../mod.ts";
import { doomedJob } from "../../../src/testing/doomed.ts";
import type { CaseNeeds } from "../../../src/testing/mod.ts";
import { createWorker } from "../../../src/worker.ts";

type Options = BullMqOptions | PostgresOptions;

/** The lease for a case of the kit, in ms: short only where it has to notice that a worker is dead. */
export function leaseFor({ workersDie }: CaseNeeds): number {
  return workersDie ? 900 : 600_000;
}

/** Starts such a process. */
export function startDoomedWorker(options: Options, job: string): { kill(): Promise<void> } {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", import.meta.filename ?? "", JSON.stringify(options), job],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return {
    kill: async () => {
      child.kill("SIGKILL");
      await child.status;
      await child.stdin.close().catch(() => {}); // Its other end is gone.
    },
  };
}

/** Loads no more than its backend: to load the whole package would take most of the time of such a process. */
async function open(options: Options): Promise<Backend> {
  if ("url" in options) {
    const { PostgresBackend } = await import("../../../src/backends/postgres/mod.ts");
    return await PostgresBackend.connect(options);
  }
  const { BullMqBackend } = await import("../../../src/backends/bullmq/mod.ts");
  return await BullMqBackend.connect(options);
}

if (import.meta.main) {
  const [options = "", name = ""] = Deno.args;
  await using backend = await open(JSON.parse(options));
  await using worker = createWorker(backend, [doomedJob(name)]);
  await worker.ready;
  for await (const _ of Deno.stdin.readable);
}
