/**
 * How long a server takes for a request (OpenTelemetry's conventions for MCP, "mcp.server.operation.duration").
 *
 * @module
 */
import type { Server, ServerContext } from "@modelcontextprotocol/server";
import type { Attributes } from "@opentelemetry/api";
import { type Measured, measured } from "../../telemetry/metrics.ts";
import { failureOf } from "../../telemetry/spans.ts";

/** What knows the revision that a client speaks. */
export type Versioned = Pick<Server, "getNegotiatedProtocolVersion">;

/** What the span and the metric of a request have in common. */
export function requestAttributes(method: string, server: Versioned, { http }: ServerContext): Attributes {
  const version = server.getNegotiatedProtocolVersion();
  return {
    "mcp.method.name": method,
    ...(version !== undefined && { "mcp.protocol.version": version }),
    "network.transport": http === undefined ? "pipe" : "tcp",
  };
}

/** The requests that are measured: a handler of ours may pass one on to the handler of an extension. */
const begun = new WeakSet<ServerContext>();

/** Measures a request from now until its answer. The calls of tools measure themselves, because they know the tool. */
export function inRequestTime<T>(
  method: string,
  server: Versioned,
  ctx: ServerContext,
  run: () => Promise<T>,
): Promise<T> {
  if (method === "tools/call" || begun.has(ctx)) return run();
  const end = measured("call", requestAttributes(method, server, ctx));
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
    end(failureOf(error));
    throw error;
  }
}
