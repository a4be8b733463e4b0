/**
 * A stdio server whose worker cannot begin, as a program: `starting_server.ts never|fails`.
 *
 * @module
 */
import { AsyncToolServer, BackendError, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";

const [how] = Deno.args;
const backend = new MemoryBackend();
const work = backend.work.bind(backend);
backend.work = (options) => {
  const ready = how === "never"
    ? new Promise<void>(() => {})
    : Promise.reject(new BackendError("Cannot start a worker: no such table."));
  return { ...work(options), ready };
};
const server = new AsyncToolServer({
  name: "starting",
  version: "1.0.0",
  backend,
  strategy: new PollingExposureStrategy(),
});
server.asyncTool({ name: "echo", input: { type: "object" } }, (input) => input);
await server.run({ worker: {} }).catch((error) => console.error(`${error.name}: ${error.message}`));
