/**
 * A program whose server does not end at once: `slow_server.ts never|fails|closes|full`. Over stdio its worker never starts,
 * or fails; over HTTP its backend closes when stdin ends, and prints the signals that come until then. With `full` it
 * prints when its run has ended.
 *
 * @module
 */
import { AsyncToolServer, BackendError, MemoryBackend, PollingExposureStrategy } from "../../../mod.ts";

const [how] = Deno.args;
const backend = new MemoryBackend();
const [work, close] = [backend.work.bind(backend), backend.close.bind(backend)];
if (how === "closes") {
  let closing = false;
  // A signal ends the process if the listeners are gone by the time that Deno handles it, so its sender has to know.
  const [add, remove] = [Deno.addSignalListener, Deno.removeSignalListener];
  const wrapped = new Map<Deno.Signal, () => void>();
  Deno.addSignalListener = (signal, listener) => {
    const wrapper = () => {
      listener();
      if (closing) console.error(signal);
    };
    wrapped.set(signal, wrapper);
    add(signal, wrapper);
  };
  Deno.removeSignalListener = (signal, listener) => remove(signal, wrapped.get(signal) ?? listener);
  backend.close = async () => {
    closing = true;
    console.error("closing");
    await new Response(Deno.stdin.readable).text();
    await close();
    console.error("closed");
  };
} else if (how !== "full") {
  backend.work = (options) => {
    const ready = how === "never"
      ? new Promise<void>(() => {})
      : Promise.reject(new BackendError("Cannot start a worker: no such table."));
    return { ...work(options), ready };
  };
}
const strategy = new PollingExposureStrategy();
const server = new AsyncToolServer({ name: "slow", version: "1.0.0", backend, strategy });
server.asyncTool({ name: "echo", input: { type: "object" } }, (input) => input);
const transport = how === "closes" ? "http" : "stdio";
await server.run({ transport, port: 0, worker: {}, onListen: () => console.error("listening") })
  .catch((error) => console.error(`${error.name}: ${error.message}`));
if (how === "full") console.error("over");
