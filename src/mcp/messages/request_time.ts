/**
 * How long a server takes for a request (OpenTelemetry's conventions for MCP, "mcp.server.operation.duration").
 *
 * @module
 */
import { type Measured, measured } from "../../telemetry/metrics.ts";
import { errorTypeOf } from "../../telemetry/spans.ts";

/** Measures a request from now until its answer. The calls of tools measure themselves, because they know the tool. */
export function inRequestTime<T>(method: string, isHttp: boolean, run: () => Promise<T>): Promise<T> {
  const end = method === "tools/call" ? undefined : measured("call", {
    "mcp.method.name": method,
    "network.transport": isHttp ? "tcp" : "pipe",
  });
  return end === undefined ? run() : timed(run, end);
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
