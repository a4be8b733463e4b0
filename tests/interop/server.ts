/**
 * The fixture server as a program: `server.ts polling|operation stdio|http`.
 *
 * @module
 */
import { fixtureServer } from "./fixture.ts";

const [strategy, transport] = Deno.args;
if (strategy !== "polling" && strategy !== "operation") throw new Error(`Unknown strategy ${strategy}`);
if (transport !== "stdio" && transport !== "http") throw new Error(`Unknown transport ${transport}`);

await fixtureServer(strategy).run({ transport, port: 0, worker: { concurrency: 16 } });
