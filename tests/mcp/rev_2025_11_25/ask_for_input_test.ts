import { ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/server";
import { ToolError } from "../../../mod.ts";
import type { RequestContext } from "../../../src/mcp/host.ts";
import { elicitFields } from "../../../src/mcp/rev_2025_11_25/ask_for_input.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

/** Never aborts: the server goes on. */
const OVER = new AbortController().signal;

/** A request whose client answers with `send`. */
function requestOf(send: (request: never, options: never) => Promise<unknown>): RequestContext {
  return { mcpReq: { send, signal: new AbortController().signal } } as unknown as RequestContext;
}

Deno.test("a person may take as long to answer as a timer can run", async () => {
  // No test can wait for the minute that the SDK gives a request, so this checks the time that it is told.
  const waits: (number | undefined)[] = [];
  const ctx = requestOf((_, { timeout }: { readonly timeout?: number }) => {
    waits.push(timeout);
    return Promise.resolve({ action: "accept", content: { name: "Ada" } });
  });
  const question = { key: "name", message: "Who?", schema: { type: "object" } };
  assertEquals(await elicitFields([question], ctx, OVER), { fields: { name: "Ada" } });
  assertEquals(waits, [2 ** 31 - 1]);
});

Deno.test("a person who declines the first question is not asked the next one", async () => {
  const asked: string[] = [];
  const ctx = requestOf(({ params }: { readonly params: { readonly message: string } }) => {
    asked.push(params.message);
    return Promise.resolve({ action: "decline" });
  });
  const questions = ["Who invites?", "Who comes?"].map((message) => ({ key: message, message, schema: {} }));
  await assertRejects(() => elicitFields(questions, ctx, OVER), ToolError, "Who invites?");
  assertEquals(asked, ["Who invites?"]);
});

Deno.test("a client that answers a question with an error, or with what is no answer, counts as one whose person does not answer", async () => {
  const questions = [{ key: "name", message: "Who?", schema: {} }];
  const invalid = new SdkError(SdkErrorCode.InvalidResult, "Invalid result for elicitation/create");
  for (const error of [new ProtocolError(-32603, "no terminal"), invalid]) {
    const ctx = requestOf(() => Promise.reject(error));
    await assertRejects(() => elicitFields(questions, ctx, OVER), ToolError, "did not answer the question: Who?");
  }
});

Deno.test("a call that ends while its question is open ends with the reason for that", async () => {
  const gone = new SdkError(SdkErrorCode.ConnectionClosed, "The connection is closed.");
  const questions = [{ key: "name", message: "Who?", schema: {} }];
  const ctx = requestOf(() => Promise.reject(gone));
  const error = await assertRejects(() => elicitFields(questions, ctx, OVER), Error);
  assertEquals(error, gone);
});
