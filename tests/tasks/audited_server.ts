/**
 * A server over HTTP as a program, whose audit log goes to stderr. It tells its URL on stdout.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";

const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
const server = new AsyncToolServer({ name: "audited", version: "1.0.0", backend, strategy });
// deno-lint-ignore no-console
await server.run({ transport: "http", port: 0, onListen: (url) => console.log(url) });
