/** What a client is told of the end of a task, read from the messages of the server. Pure. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";

/** How a task ended, as a client was told. `text` holds the result, with the mark of its run, or the error. */
export interface Told {
  readonly kind: "completed" | "failed" | "unknown";
  readonly text: string;
}

/** What the result of a task says. */
export function toldBy({ isError, structuredContent, content }: Omit<CallToolResult, "_meta">): Told {
  return structuredContent && !isError
    ? { kind: "completed", text: JSON.stringify(structuredContent) }
    : { kind: isError ? "failed" : "completed", text: JSON.stringify(content) };
}

/** What `task_status` says, once the task has ended. */
export function toldByStatus({ structuredContent = {} }: CallToolResult): Told | undefined {
  const { status, result, error } = structuredContent;
  if (status === "COMPLETED") return { kind: "completed", text: JSON.stringify(result) };
  if (status === "FAILED") return { kind: "failed", text: JSON.stringify([{ type: "text", text: error }]) };
  return undefined;
}

/** The id of the task whose result this is. */
export function taskOfResult({ _meta }: CallToolResult): string | undefined {
  return String(_meta?.resourceUri ?? "").split("/").at(-1) || undefined;
}

/** The number of the task whose end stands in a text, if it does. */
export function numberIn(text: string): number | undefined {
  const found = /"number":(\d+),"run"|failed as planned: task (\d+)/.exec(text);
  return found ? Number(found[1] ?? found[2]) : undefined;
}
