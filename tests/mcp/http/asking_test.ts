import { MemoryBackend, ToolError } from "../../../mod.ts";
import { completeInput } from "../../../src/mcp/tools/ask_for_input.ts";
import type { RequestContext, TaskServer } from "../../../src/mcp/host.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { Events, Raw } from "./support/raw.ts";

Deno.test("a call that is cancelled while it asks takes its question back", async () => {
  await using server = fixtureServer("operation", new MemoryBackend());
  const raw = await Raw.open(server.fetch, undefined, { elicitation: {} });
  const call = new Events(await raw.post("tools/call", { name: "introduce", arguments: {} }));
  const { id } = await call.message();
  const params = { requestId: 2, reason: "no time" };
  await raw.send({
    method: "POST",
    body: JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params }),
  });
  const taken = await call.message();
  assertEquals([taken.method, taken.params.requestId], ["notifications/cancelled", id]);
  // Not because the SDK had waited for a minute.
  assertEquals(taken.params.reason.includes("timed out"), false);
  assertEquals(await call.next(), undefined);
});

Deno.test("a person may take as long to answer as a timer can wait", async () => {
  // No test can wait for the minute that the SDK gives a request: what it is told is all that can be seen.
  const waits: (number | undefined)[] = [];
  const send = (_: unknown, { timeout }: { readonly timeout?: number } = {}) => {
    waits.push(timeout);
    return Promise.resolve({ action: "accept", content: { name: "Ada" } });
  };
  const server = { getClientCapabilities: () => ({ elicitation: {} }) } as unknown as TaskServer;
  const ctx = { mcpReq: { send, signal: new AbortController().signal } } as unknown as RequestContext;
  const question = { key: "name", message: "Who?", schema: { type: "object" } };
  assertEquals(await completeInput([question], {}, server, ctx, new AbortController().signal), {
    input: { name: "Ada" },
  });
  assertEquals(waits, [2 ** 31 - 1]);
});

Deno.test("who declines the first question is not asked the next one", async () => {
  const asked: string[] = [];
  const send = ({ params }: { readonly params: { readonly message: string } }) => {
    asked.push(params.message);
    return Promise.resolve({ action: "decline" });
  };
  const server = { getClientCapabilities: () => ({ elicitation: {} }) } as unknown as TaskServer;
  const ctx = { mcpReq: { send, signal: new AbortController().signal } } as unknown as RequestContext;
  const questions = ["Who invites?", "Who comes?"].map((message) => ({ key: message, message, schema: {} }));
  await assertRejects(
    () => completeInput(questions, {}, server, ctx, new AbortController().signal),
    ToolError,
    "Who invites?",
  );
  assertEquals(asked, ["Who invites?"]);
});
