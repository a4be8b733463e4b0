/**
 * A server whose jobs return, throw and ask as much as they are told to.
 *
 * @module
 */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import {
  AsyncToolServer,
  type Backend,
  content,
  image,
  JobFault,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  text,
} from "../../../mod.ts";
import type { StrategyName } from "../../interop/support/fixture.ts";

/** What a large text may be made of, by name, and how many bytes of JSON one piece takes. */
export const KINDS = {
  ASCII: { unit: "x", bytes: 1 },
  Chinese: { unit: "世", bytes: 3 },
  escapes: { unit: "\u0000", bytes: 6 },
} as const;

export type Kind = keyof typeof KINDS;

/** A text of one kind with this many bytes of JSON. */
export function textOf(kind: Kind, bytes: number): string {
  return KINDS[kind].unit.repeat(Math.floor(bytes / KINDS[kind].bytes));
}

/** Makes the server. */
export function serverOf(strategy: StrategyName, backend: Backend = new MemoryBackend()): AsyncToolServer {
  const server = new AsyncToolServer({
    name: "large",
    version: "1.0.0",
    backend,
    strategy: strategy === "polling"
      ? new PollingExposureStrategy()
      : new OperationResourceStrategy({ notifications: true }),
  });
  const input = z.object({ kind: z.enum(["ASCII", "Chinese", "escapes"]), bytes: z.number() });
  const output = z.object({ text: z.string() });
  server.asyncTool({ name: "typed", input, output }, ({ kind, bytes }) => ({ text: textOf(kind, bytes) }));
  server.asyncTool({ name: "untyped", input }, ({ kind, bytes }) => ({ text: textOf(kind, bytes) }));
  server.asyncTool({ name: "string", input }, ({ kind, bytes }) => textOf(kind, bytes));
  server.asyncTool({ name: "draws", input: z.object({ bytes: z.number() }) }, ({ bytes }) => {
    return content([text("A picture"), image(new Uint8Array(bytes).fill(1), `image/${"x".repeat(100)}`)]);
  });
  server.asyncTool({ name: "throws", input, attempts: 1 }, ({ kind, bytes }) => {
    throw new Error(textOf(kind, bytes));
  });
  server.asyncTool({ name: "faults", input }, ({ kind, bytes }) => {
    throw new JobFault(textOf(kind, bytes));
  });
  server.asyncTool({ name: "asks", input }, ({ kind, bytes }, { elicit }) => {
    const schema = { type: "object", properties: {} };
    return elicit({ message: textOf(kind, bytes), schema });
  });
  server.asyncTool({ name: "strict", input: z.strictObject({}) }, () => "never");
  server.extend((mcp: McpServer) => {
    mcp.registerTool("plain", { inputSchema: z.strictObject({}) }, () => ({ content: [] }));
    mcp.registerPrompt("greet", {}, () => ({ messages: [] }));
  });
  return server;
}
