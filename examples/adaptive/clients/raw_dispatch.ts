/**
 * Sends requests past the client of SDK 2, which refuses an answer that is a task: `ext-tasks` asks for its own way.
 *
 * @module
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { RawClientDispatch } from "@modelcontextprotocol/ext-tasks/client";

/** Takes the answers to its own requests out of what the transport of a connected client receives. */
export function rawDispatch(transport: Transport): RawClientDispatch {
  const waiting = new Map<string, (message: JSONRPCMessage) => void>();
  const { onmessage } = transport;
  transport.onmessage = (message, extra) => {
    const take = "id" in message && typeof message.id === "string" ? waiting.get(message.id) : undefined;
    if (take) take(message);
    else onmessage?.(message, extra);
  };
  let last = 0;
  return async (request) => {
    const id = `raw-${++last}`;
    const answered = Promise.withResolvers<JSONRPCMessage>();
    waiting.set(id, answered.resolve);
    try {
      await transport.send({ jsonrpc: "2.0", id, ...request as { method: string } });
      const answer = await answered.promise;
      // deno-lint-ignore no-explicit-any -- ext-tasks validates it
      if ("result" in answer) return { kind: "result", result: answer.result as any };
      // deno-lint-ignore no-explicit-any -- ext-tasks validates it
      if ("error" in answer) return { kind: "error", error: answer.error as any };
      throw new Error(`Expected an answer, got ${JSON.stringify(answer)}.`);
    } finally {
      waiting.delete(id);
    }
  };
}
