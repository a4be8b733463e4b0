/**
 * A server that does not end at once, as a program: `slow_server.ts never|fails|closes|full`. Over stdio its worker never
 * begins, or fails; over HTTP its backend closes when stdin ends, and it says which signals come until then. With `full`
 * it says when its run is over.
 *
 * @module
 */
import { AsyncToolServer, BackendError, MemoryBackend, PollingExposureStrategy } from "../../../mod.ts";

const [how] = Deno.args;
const backend = new MemoryBackend();
const [work, close] = [backend.work.bind(backend), backend.close.bind(backend)];
if (how === "closes") {
  let closing = false;
  // A signal that was sent ends the process if the listeners are gone when Deno comes to it: who sends one must know.
  const [add, remove] = [Deno.addSignalListener, Deno.removeSignalListener];
  const heard = new Map<Deno.Signal, () => void>();
  Deno.addSignalListener = (signal, listener) => {
    const hear = () => {
      listener();
      if (closing) console.error(signal);
    };
    heard.set(signal, hear);
    add(signal, hear);
  };
  Deno.removeSignalListener = (signal, listener) => remove(signal, heard.get(signal) ?? listener);
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
