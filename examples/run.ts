/**
 * Runs one example: a worker, a client, and the server that the client starts, each a process of its own on one KV file.
 * Shows what the client sees, checks it, and leaves nothing behind.
 *
 * @module
 */
import { EXAMPLES } from "./catalog.ts";
import { check } from "./runner/check.ts";
import { Display } from "./runner/display.ts";
import { Child } from "./runner/child.ts";
import { roleCommand } from "./shared/role.ts";
import type { Update } from "./shared/tell.ts";

/** The longest time that an example may take, in ms. */
const TIME_LIMIT_MS = 60_000;

/** What ended the run too early, and the exit code that says so. */
class Aborted extends Error {
  constructor(message: string, readonly exitCode: number) {
    super(message);
  }
}

/** Runs an example by name. Returns the exit code: 0 only if everything was as it should be. */
export async function runExample(name: string): Promise<number> {
  const expected = EXAMPLES.get(name);
  if (expected === undefined) {
    console.error(`There is no example ${JSON.stringify(name)}. Choose one of: ${[...EXAMPLES.keys()].join(", ")}.`);
    return 2;
  }
  console.log(`${name}: ${expected.about}`);
  const started = performance.now();
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-" });
  try {
    const findings = check(await observe(name, folder), expected);
    for (const { ok, text } of findings) console.log(`${ok ? "ok   " : "WRONG"} ${text}`);
    const wrong = findings.filter(({ ok }) => !ok).length;
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    if (wrong === 0) console.log(`${name} passed: ${findings.length} checks in ${seconds} s`);
    else console.error(`${name} failed: ${wrong} of ${findings.length} checks are wrong.`);
    return wrong === 0 ? 0 : 1;
  } catch (error) {
    console.error(`${name} failed: ${error instanceof Error ? error.message : error}`);
    return error instanceof Aborted ? error.exitCode : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the processes until the client ends, and returns all that it told. Rejects with `Aborted`. */
async function observe(name: string, folder: string): Promise<readonly Update[]> {
  const queue = [`--kv=${folder}/jobs.kv`];
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const interrupt = () => reject(new Aborted("it was interrupted.", 130));
  const terminate = () => reject(new Aborted("it was told to end.", 143));
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", terminate);
  const timer = setTimeout(() => reject(new Aborted(`it took longer than ${TIME_LIMIT_MS} ms.`, 1)), TIME_LIMIT_MS);
  try {
    await using worker = new Child("worker", roleCommand(name, "worker", queue), "inherit");
    await using client = new Child("client", roleCommand(name, "client", queue), "piped");
    const updates: Update[] = [];
    const display = new Display();
    const followed = (async () => {
      for await (const line of client.lines()) {
        const update: Update = JSON.parse(line);
        updates.push(update);
        display.show(update);
      }
    })();
    const ended = worker.ended.then((code) => {
      throw new Aborted(`the worker ended early, with exit code ${code}.`, 1);
    });
    try {
      await Promise.race([followed, ended, aborted]);
      const code = await Promise.race([client.ended, aborted]);
      if (code !== 0) throw new Aborted(`the client ended with exit code ${code}; its error stands above.`, 1);
    } finally {
      display.end();
    }
    return updates;
  } finally {
    clearTimeout(timer);
    Deno.removeSignalListener("SIGINT", interrupt);
    Deno.removeSignalListener("SIGTERM", terminate);
  }
}
