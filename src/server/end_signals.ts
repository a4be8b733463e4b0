/**
 * The signals of the operating system that end a process.
 *
 * @module
 */

/** SIGHUP comes when the terminal is closed. Windows has neither that nor SIGTERM. */
const END_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Calls `stop` on each of them until it is disposed of: npx and terminals send a signal twice, and the second one would
 * interrupt the shutdown.
 */
export function onEndSignal(stop: () => void): Disposable {
  for (const signal of END_SIGNALS) Deno.addSignalListener(signal, stop);
  return {
    [Symbol.dispose]() {
      for (const signal of END_SIGNALS) Deno.removeSignalListener(signal, stop);
    },
  };
}
