/** How a task ended, as a client reads it from the messages of the server. Pure. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";

/** How a task ended, as reported to a client. `text` holds the result, with the mark of its run, or the error. */
export interface ReportedEnd {
  /** `died`: its workers died too often. */
  readonly kind: "completed" | "failed" | "died" | "unknown";
  readonly text: string;
}

/** The end that the result of a task reports. */
export function endOfResult({ isError, structuredContent, content }: Omit<CallToolResult, "_meta">): ReportedEnd {
  if (structuredContent && !isError) return { kind: "completed", text: JSON.stringify(structuredContent) };
  const text = JSON.stringify(content);
  return isError ? died(text) ?? { kind: "failed", text } : { kind: "completed", text };
}

/** The end that an error of the protocol reports. */
export function endOfError(error: unknown): ReportedEnd {
  return died(String(error)) ?? { kind: "unknown", text: String(error) };
}

/** The end of a task whose workers died too often: a result and an error of the protocol say it in the same words. */
function died(text: string): ReportedEnd | undefined {
  const [said] = /The worker died \d+ times/.exec(text) ?? [];
  return said === undefined ? undefined : { kind: "died", text: said };
}

/** The end that `task_status` reports; `undefined` before. */
export function endOfStatus({ structuredContent = {} }: CallToolResult): ReportedEnd | undefined {
  const { status, result, error } = structuredContent;
  if (status === "COMPLETED") return { kind: "completed", text: JSON.stringify(result) };
  if (status === "FAILED") {
    return endOfResult({ isError: true, content: [{ type: "text", text: `Failed: ${error}` }] });
  }
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
