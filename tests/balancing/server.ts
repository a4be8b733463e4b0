/**
 * One of several servers behind a load balancer: `server.ts <KV file, Redis or PostgreSQL URL>` serves over HTTP on
 * a free port, whose URL it prints.
 *
 * @module
 */
import { AdaptiveExposureStrategy, AsyncToolServer, defineJob, type Job } from "../../mod.ts";
import { open } from "../crash/keyed_server.ts";

const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

/** A job whose calls wait for as long as it takes. */
export const patient: Job = defineJob({ name: "patient", input: schema });

/** A job whose input the person is asked for. */
export const introduce: Job = defineJob({ name: "introduce", input: schema });

if (import.meta.main) {
  const backend = await open(Deno.args[0] ?? "");
  const strategy = new AdaptiveExposureStrategy({ answerWithin: 120_000 });
  const server = new AsyncToolServer({ name: "balanced", version: "1.0.0", backend, strategy });
  server.registerAsyncTool(patient);
  server.registerAsyncTool(introduce, { askFor: { name: "What is your name?" } });
  await server.run({ transport: "http", port: 0, onListen: console.log });
}
