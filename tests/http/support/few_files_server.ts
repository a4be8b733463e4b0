/** A server process for a test: prints its port, and serves until its stdin ends. */
import { HttpServer } from "../../../src/http/serve.ts";

const ignore = () => {};
// As `run` does. Deno needs file descriptors for its first signal listener, and panics if there are none.
Deno.addSignalListener("SIGTERM", ignore);
const options = { port: 0, hostname: "127.0.0.1", checkInterval: 20, onError: console.error };
const server = await HttpServer.listen(options, () => new Response("ok"));
console.log(server.port);
for await (const _ of Deno.stdin.readable);
await server.close();
Deno.removeSignalListener("SIGTERM", ignore);
