/**
 * A program that serves HTTP with its audit log on stderr, and writes its URL to stdout; with the argument `stdio`, it serves
 * that instead, and `stderr` behind it is the option `audit`.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";

const [transport, audit] = Deno.args;
const server = new AsyncToolServer({
  name: "audited",
  version: "1.0.0",
  backend: new MemoryBackend(),
  strategy: new PollingExposureStrategy(),
  ...(audit === "stderr" && { audit }),
});
server.asyncTool({ name: "echo", input: { type: "object" } }, (input) => input);
// deno-lint-ignore no-console
await server.run(transport === "stdio" ? {} : { transport: "http", port: 0, onListen: (url) => console.log(url) });
