/**
 * Each role of an example (server, worker, client) is its own process. This file starts roles and decides when they end.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** The option that ends a role with its stdin, so that it never outlives the process that started it. */
export const END_WITH_STDIN = "--end-with-stdin";

/** The permissions of the examples; `deno task example` and `deno task compile` have the same ones. */
export const PERMISSIONS: readonly string[] = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-net",
  "--allow-sys",
];

/** The command that starts a role. It gets the options of this process, so that all roles use the same queue. */
export function roleCommand(
  example: string,
  role: string,
  options: readonly string[] = Deno.args.slice(2).filter((arg) => arg !== END_WITH_STDIN),
): { readonly command: string; readonly args: string[] } {
  return { command: Deno.execPath(), args: [...entry(), example, role, ...options] };
}

/** The entry: none for the executable, the running file for a bundle, else `examples/main.ts`. */
function entry(): readonly string[] {
  if (Deno.build.standalone) return [];
  const bundled = import.meta.url === Deno.mainModule;
  const main = bundled ? Deno.mainModule : new URL("../main.ts", import.meta.url);
  const flags = ["--unstable-kv", ...(bundled ? ["--no-config", "--cached-only"] : [])];
  return ["run", ...PERMISSIONS, ...flags, fileURLToPath(main)];
}

/** The signals that end a role; SIGHUP comes when the terminal is closed. */
const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Resolves when this process must end. */
export async function untilStopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of END_SIGNALS) Deno.addSignalListener(signal, resolve);
  await promise;
  for (const signal of END_SIGNALS) Deno.removeSignalListener(signal, resolve);
}

/** Sends this process SIGTERM once its stdin has ended. Returns a function that stops watching. */
export function endWithStdin(): () => Promise<void> {
  const stdin = Deno.stdin.readable.getReader();
  let watching = true;
  const watch = async () => {
    while (!(await stdin.read()).done);
    if (watching) Deno.kill(Deno.pid, "SIGTERM");
  };
  watch();
  return async () => {
    watching = false;
    await stdin.cancel();
  };
}
