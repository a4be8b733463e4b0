/**
 * A worker whose job kills it: `deadly_worker.ts <KV file, Redis or PostgreSQL URL> <job>`. It ends with its stdin.
 *
 * @module
 */
import { createWorker, defineJob, type Job } from "../../mod.ts";
import { open } from "./keyed_server.ts";

/** After how long a silent worker counts as dead, in ms. */
export const LEASE_MS = 1_500;

/** How many steps the job has: more than the deaths that a task survives at one place. */
const PARTS = 4;

/**
 * A job that kills its process in each step, before that is recorded: once, as a machine that is taken away would, and each
 * time in the step that is deadly. It notes in a file how often each step has begun.
 */
const deadly = (name: string): Job =>
  defineJob({
    name,
    input: { type: "object", properties: { notes: { type: "string" }, always: { type: "integer" } } },
    run: async ({ notes, always }, { step }) => {
      for (let part = 1; part <= PARTS; part++) {
        await step(`part ${part}`, async () => {
          const before = await Deno.readTextFile(`${notes}`).catch(() => "");
          await Deno.writeTextFile(`${notes}`, `${before}${part}`);
          if (part === always || !before.includes(`${part}`)) Deno.kill(Deno.pid, "SIGKILL");
        });
      }
      return "done";
    },
  });

if (import.meta.main) {
  const [store = "", name = ""] = Deno.args;
  await using backend = await open(store, LEASE_MS);
  await using worker = createWorker(backend, [deadly(name)]);
  await worker.ready;
  for await (const _ of Deno.stdin.readable);
}
