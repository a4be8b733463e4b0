/**
 * The fixture server as a program: `server.ts <strategy> stdio|http [KV file [contracts]]`. It runs the jobs, too,
 * unless they are contracts.
 *
 * @module
 */
import { DenoKvBackend } from "../../../mod.ts";
import { fixtureServer, isStrategyName } from "./fixture.ts";

const [strategy, transport, path, role] = Deno.args;
if (!isStrategyName(strategy)) throw new Error(`Unknown strategy ${strategy}`);
if (transport !== "stdio" && transport !== "http") throw new Error(`Unknown transport ${transport}`);

const backend = path === undefined ? undefined : await DenoKvBackend.open({ path });
const worker = role === "contracts" ? undefined : { concurrency: 16 };
await fixtureServer(strategy, backend).run({ transport, port: 0, worker });
