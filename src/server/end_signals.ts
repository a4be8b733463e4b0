/**
 * The signals of the operating system that end a process.
 *
 * @module
 */

/**
 * SIGHUP comes when the terminal is closed; Windows then ends the process after some seconds. SIGBREAK is Ctrl+Break, of
 * Windows alone, where no other process can send a signal that is noticed.
 */
const END_SIGNALS: readonly Deno.Signal[] = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  ...(Deno.build.os === "windows" ? ["SIGBREAK"] as const : []),
];

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
