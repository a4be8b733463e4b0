import { McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { MissingInternal } from "../../src/libraries/internals.ts";
import { becomeOpen, messageInChunk, OpenServer, streamsOf } from "../../src/mcp/sdk_internals.ts";
import { assertEquals, assertMatch, assertThrows } from "../../tools/std.ts";

/** What an SDK without `what` is answered with. */
function missing(what: string): RegExp {
  return new RegExp(`^Cannot use @modelcontextprotocol/server \\d+\\.\\d+\\.\\d+: it has no ${what}`);
}

for (const field of ["_requestToStreamMapping", "_streamMapping", "_standaloneSseStreamId", "_retryInterval"]) {
  Deno.test(`a transport of the SDK without ${field} is an error that names library, version and field`, () => {
    const transport = new WebStandardStreamableHTTPServerTransport({ retryInterval: 0 });
    Reflect.deleteProperty(transport, field);
    const { message } = assertThrows(() => streamsOf(transport), MissingInternal);
    assertMatch(message, missing(`WebStandardStreamableHTTPServerTransport.${field}`));
  });
}

for (
  const [field, use] of Object.entries({
    _requestHandlerAbortControllers: (server: OpenServer) => server.isWorkingOn(1),
    _responseHandlers: (server: OpenServer) => server.isWaitingFor(1),
    _requestMessageId: (server: OpenServer) => server.numberRequestsFrom(1),
  })
) {
  Deno.test(`a server of the SDK without ${field} is an error that names library, version and field`, () => {
    const server = new OpenServer({ name: "a", version: "1.0.0" });
    Reflect.deleteProperty(server, field);
    const { message } = assertThrows(() => use(server), MissingInternal);
    assertMatch(message, missing(`Server.${field}`));
  });
}

Deno.test("an SDK whose servers lack an internal cannot be loaded, and the error names what is missing", async () => {
  // The module looks its internals up as it is loaded, so that needs a process whose SDK lacks one.
  for (const field of ["_getRequestHandler", "_wrapHandler"]) {
    const script = `import { Server } from "@modelcontextprotocol/server";
      for (let at = Server.prototype; at; at = Object.getPrototypeOf(at)) delete at.${field};
      await import(${JSON.stringify(new URL("../../src/mcp/sdk_internals.ts", import.meta.url).href)});`;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      env: { NO_COLOR: "1" },
      cwd: new URL("../../", import.meta.url),
    }).output();
    const text = new TextDecoder().decode(stderr);
    assertEquals([code, text.includes(`it has no Server.${field}`)], [1, true], text);
  }
});

Deno.test("an McpServer whose server is not the SDK's own is refused", () => {
  const mcp = new McpServer({ name: "a", version: "1.0.0" });
  becomeOpen(mcp, OpenServer);
  assertEquals(mcp.server instanceof OpenServer, true);
  const { message } = assertThrows(() => becomeOpen(mcp, OpenServer), MissingInternal);
  assertMatch(message, missing("McpServer.server, a plain Server"));
});

Deno.test("a handler that the SDK would set without asking for its wrapper is refused", () => {
  const server = new OpenServer({ name: "a", version: "1.0.0" });
  server.setRequestHandler = () => {};
  const params = { "~standard": { version: 1 as const, vendor: "a", validate: (value: unknown) => ({ value }) } };
  const { message } = assertThrows(() => server.setOwnHandler("a", params, () => Promise.resolve({})), MissingInternal);
  assertMatch(message, missing("Server.setRequestHandler that calls _wrapHandler"));
});

Deno.test("a chunk of an event stream is one message or one comment, and anything else is an error", () => {
  const chunk = (text: string) => new TextEncoder().encode(text);
  const message = { jsonrpc: "2.0" as const, method: "notifications/progress" };
  const event = `event: message\ndata: ${JSON.stringify(message)}\n\n`;
  assertEquals(messageInChunk(chunk(event)), message);
  assertEquals(messageInChunk(chunk(": keepalive\n\n")), undefined);
  for (const text of [event + event, event.slice(0, -1), event.slice(1), `data: ${JSON.stringify(message)}\n\n`]) {
    const { message } = assertThrows(() => messageInChunk(chunk(text)), MissingInternal);
    assertMatch(message, missing("event stream that has one message in each chunk"));
  }
});
