/**
 * Runs one example: a worker, a client, and the server that the client starts, each in its own process, on one queue.
 * Shows what the client sees, checks it, and cleans up.
 *
 * @module
 */
import { EXAMPLES } from "./catalog.ts";
import { check } from "./runner/check.ts";
import { Child } from "./runner/child.ts";
import { Display } from "./runner/display.ts";
import { Aborted, Interruption } from "./runner/interruption.ts";
import { BACKENDS, openQueue } from "./runner/queue.ts";
import { RestartableWorker } from "./runner/worker.ts";
import type { RunQueue } from "./runner/run_queue.ts";
import { roleCommand } from "./shared/role.ts";
import type { Update } from "./shared/update.ts";

/** The longest time that an example may take once its queue is open, in ms. The longest one takes 42 s on an idle machine. */
const TIME_LIMIT_MS = 150_000;

/** Runs an example by name. Returns the exit code: 0 only if every check passed. */
export async function runExample(name: string, backend: string): Promise<number> {
  const expected = EXAMPLES.get(name);
  if (expected === undefined) {
    console.error(`Cannot run the example ${JSON.stringify(name)}. Choose one of: ${[...EXAMPLES.keys()].join(", ")}.`);
    return 2;
  }
  if (!BACKENDS.includes(backend)) {
    console.error(`Cannot use the backend ${JSON.stringify(backend)}. Choose one of: ${BACKENDS.join(", ")}.`);
    return 2;
  }
  console.log(`${name}: ${expected.about}`);
  const started = performance.now();
  try {
    const findings = check(await observe(name, backend), expected);
    for (const { ok, text } of findings) console.log(`${ok ? "ok   " : "WRONG"} ${text}`);
    const wrong = findings.filter(({ ok }) => !ok).length;
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    if (wrong === 0) console.log(`${name} passed: ${findings.length} checks in ${seconds} s`);
    else console.error(`${name} failed: ${wrong} of ${findings.length} checks are wrong.`);
    return wrong === 0 ? 0 : 1;
  } catch (error) {
    console.error(`${name} failed: ${error instanceof Error ? error.message : error}`);
    return error instanceof Aborted ? error.exitCode : 1;
  }
}

/** Opens the queue, runs the processes on it until the client ends, and returns everything that the client reported. */
async function observe(name: string, backend: string): Promise<readonly Update[]> {
  using interruption = new Interruption();
  await using queue = await openQueue(backend, interruption.signal);
  if (queue.about !== undefined) console.log(queue.about);
  const limit = new Aborted(`it took longer than ${TIME_LIMIT_MS} ms.`);
  const timer = setTimeout(() => interruption.end(limit), TIME_LIMIT_MS);
  try {
    return await runRoles(name, queue, interruption.aborted);
  } finally {
    clearTimeout(timer);
  }
}

async function runRoles(name: string, { options, env }: RunQueue, aborted: Promise<never>): Promise<readonly Update[]> {
  await using worker = new RestartableWorker(() =>
    new Child("worker", roleCommand(name, "worker", options), env, "inherit")
  );
  await using client = new Child("client", roleCommand(name, "client", options), env, "piped");
  const updates: Update[] = [];
  const display = new Display();
  const followed = (async () => {
    for await (const line of client.lines()) {
      const update: Update = JSON.parse(line);
      updates.push(update);
      display.show(update);
      if (update.killed) await worker.killAndRestart();
    }
  })();
  const ended = worker.ended.then((code) => {
    throw new Aborted(`the worker ended early, with exit code ${code}.`);
  });
  try {
    await Promise.race([followed, ended, aborted]);
    const code = await Promise.race([client.ended, aborted]);
    if (code !== 0) throw new Aborted(`the client ended with exit code ${code}; see its error above.`);
  } finally {
    display.end();
  }
  return updates;
}
