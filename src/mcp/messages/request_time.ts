/**
 * How long a server takes for a request (OpenTelemetry's conventions for MCP, "mcp.server.operation.duration").
 *
 * @module
 */
import type { ServerContext } from "@modelcontextprotocol/server";
import { type Measured, measured } from "../../telemetry/metrics.ts";
import { errorTypeOf } from "../../telemetry/spans.ts";

/** The requests that are measured: a handler of ours may pass one on to the handler of an extension. */
const begun = new WeakSet<ServerContext>();

/** Measures a request from now until its answer. The calls of tools measure themselves, because they know the tool. */
export function inRequestTime<T>(method: string, ctx: ServerContext, run: () => Promise<T>): Promise<T> {
  if (method === "tools/call" || begun.has(ctx)) return run();
  const end = measured("call", {
    "mcp.method.name": method,
    "network.transport": ctx.http === undefined ? "pipe" : "tcp",
  });
  if (end === undefined) return run();
  begun.add(ctx);
  return timed(run, end);
}

async function timed<T>(run: () => Promise<T>, end: Measured): Promise<T> {
  try {
    const result = await run();
    end();
    return result;
  } catch (error) {
    end(errorTypeOf(error));
    throw error;
  }
}
