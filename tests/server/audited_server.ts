/**
 * A program that serves HTTP with its audit log on stderr. It writes its URL to stdout.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";

const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
const server = new AsyncToolServer({ name: "audited", version: "1.0.0", backend, strategy });
// deno-lint-ignore no-console
await server.run({ transport: "http", port: 0, onListen: (url) => console.log(url) });
