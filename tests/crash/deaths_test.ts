/**
 * Jobs in steps that kill their workers, with real processes on every durable backend.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Backend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { isFinished, type Outcome } from "../../src/task.ts";
import { assert, assertEquals, assertMatch } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { LEASE_MS } from "./deadly_worker.ts";
import { open } from "./keyed_server.ts";
import { onEachStore } from "./stores.ts";

const SCRIPT = fileURLToPath(new URL("deadly_worker.ts", import.meta.url));

/**
 * Keeps a worker running as a supervisor does, until the task has ended. Resolves with the outcome, the steps that began, and
 * how many lines on stderr report that the task's worker died.
 */
async function run(
  backend: Backend,
  store: string,
  job: string,
  input: { readonly always?: number },
): Promise<{ readonly outcome: Outcome; readonly began: string; readonly deaths: number }> {
  const notes = await Deno.makeTempFile({ prefix: "mcp-jobs-deaths-" });
  const id = newTaskId();
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  await backend.create({ id, job, owner: "ann", input: { notes, ...input }, resultTtl: 600_000, retry });
  let hasEnded = false;
  let errors = "";
  const end = until(async () => isFinished(await backend.get(id, "ann")), "the task ends").then(() => hasEnded = true);
  while (!hasEnded) {
    const args = ["run", "--quiet", "--no-check", "--allow-all", "--unstable-kv", SCRIPT, store, job];
    const options = { args, stdin: "piped", stdout: "null", stderr: "piped" } as const;
    const child = new Deno.Command(Deno.execPath(), options).spawn();
    const written = new Response(child.stderr).text();
    await Promise.race([end, child.status]);
    await child.stdin.close().catch(() => {}); // It was killed.
    await child.status;
    errors += await written;
  }
  const began = await Deno.readTextFile(notes);
  await Deno.remove(notes);
  const takenOver = /"where":"take over a task of a dead worker","job":"\w+","task":"([^"]+)"/g;
  const { length: deaths } = errors.matchAll(takenOver).filter(([, task]) => task === id).toArray();
  return { outcome: await backend.outcome(id, "ann"), began, deaths };
}

// Each step begins at least twice, or more often if a slow machine takes a worker for dead.
onEachStore("a job in steps whose workers are killed", async (t, store) => {
  await using backend = await open(store, LEASE_MS);
  // Both at once: each job has workers of its own.
  const [survivor, victim] = await Promise.all([
    run(backend, store, "survives", {}),
    run(backend, store, "is_deadly", { always: 3 }),
  ]);

  await t.step("completes however many there are, if each recorded a step, and repeats none", () => {
    const { outcome, began } = survivor;
    assertEquals(outcome, { kind: "value", value: "done" });
    assertMatch(began, /^1{2,}2{2,}3{2,}4{2,}$/);
  });

  await t.step("fails at the third death in one step, and says which step was the last one before it", () => {
    const { outcome, began, deaths } = victim;
    assertMatch(began, /^1{2,}2{2,}3{1,3}$/);
    assert(outcome.kind === "fault");
    assertMatch(
      outcome.message,
      /^The worker died 3 times .*, each time after the step "part 2", so it is not tried again/,
    );
    // A worker that takes the task over and runs it may die before it can write that line. Nobody runs it after the last death.
    assert(deaths > 0, "no worker has reported that it took the task over");
  });
});
