/**
 * Each role of an example (server, worker, client) is a process of its own. This file says how one is started, and when
 * it ends.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** Makes a role end as soon as its stdin does, so that it never outlives the process that started it. */
export const END_WITH_STDIN = "--end-with-stdin";

/** What the examples may do; `deno task example` and `deno task compile` say the same. */
export const PERMISSIONS: readonly string[] = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-net",
  "--allow-sys",
];

/** The command that starts a role. Options of this process go on to it, so that all use the same queue. */
export function roleCommand(
  example: string,
  role: string,
  options: readonly string[] = Deno.args.slice(2).filter((arg) => arg !== END_WITH_STDIN),
): { readonly command: string; readonly args: string[] } {
  return { command: Deno.execPath(), args: [...entry(), example, role, ...options] };
}

/** The one binary is its own entry; a bundle is the file that runs now; in the source tree it is `examples/main.ts`. */
function entry(): readonly string[] {
  if (Deno.build.standalone) return [];
  const bundled = import.meta.url === Deno.mainModule;
  const main = bundled ? Deno.mainModule : new URL("../main.ts", import.meta.url);
  const flags = ["--unstable-kv", ...(bundled ? ["--no-config", "--cached-only"] : [])];
  return ["run", ...PERMISSIONS, ...flags, fileURLToPath(main)];
}

/** Resolves when this process is to end: on SIGINT or SIGTERM. */
export async function stopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGINT", resolve);
  Deno.addSignalListener("SIGTERM", resolve);
  await promise;
  Deno.removeSignalListener("SIGINT", resolve);
  Deno.removeSignalListener("SIGTERM", resolve);
}

/** Sends this process SIGTERM once its stdin has ended. Returns the way to stop watching. */
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
