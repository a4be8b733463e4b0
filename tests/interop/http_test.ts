import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { createWorker } from "../../mod.ts";
import { Connection } from "../http/support/connection.ts";
import { call, CallToolResultSchema, connectHttp, serveHttp, start, textOf } from "./support/client.ts";
import { callTool, listen, request } from "../mcp/support/modern.ts";
import { contract } from "./support/fixture.ts";

Deno.test("a client that comes back in a new session reads, awaits and is notified of its task", async () => {
  await using http = await serveHttp("operation");
  let id = "";
  {
    await using first = await connectHttp(http.url);
    id = (await start(first.client, "hold", { gate: "back" })).task.taskId;
  }
  await using second = await connectHttp(http.url);
  const tasks = second.client.experimental.tasks;
  assertEquals((await tasks.getTask(id)).status, "working");
  const waiting = tasks.getTaskResult(id, CallToolResultSchema);
  await call(second.client, "open_gate", { gate: "back" });
  assertEquals((await waiting).structuredContent, { said: "opened" });
  const pushed = await second.note(({ params }) => params?.taskId === id && params.status === "completed");
  assertEquals(pushed.method, "notifications/tasks/status");
});

Deno.test("a lost connection does not cancel the call's work", async () => {
  await using http = await serveHttp("operation");
  await using first = await connectHttp(http.url);
  const calling = first.client.callTool({ name: "hold", arguments: { gate: "lost" } });
  const failed = assertRejects(() => calling, Error);
  await using second = await connectHttp(http.url);
  const id = textOf(await call(second.client, "await_gate", { gate: "lost:started" }));
  // The server closes the session with its calls before it answers.
  assert("terminateSession" in first.transport);
  await first.transport.terminateSession();
  await first.client.close();
  await failed;
  await call(second.client, "open_gate", { gate: "lost" });
  const result = await second.client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
  assertEquals(result.structuredContent, { said: "opened" });
});

Deno.test("2026-07-28: a client that closes the stream of its plain call leaves the work running", async () => {
  await using http = await serveHttp("operation");
  const calling = request(http.url, "tools/call", { name: "hold", arguments: { gate: "closed" } }, {});
  const { body } = await fetch(calling);
  const gate = async (name: string) => (await callTool(http.url, "await_gate", { gate: name })).content[0].text;
  const id = await gate("closed:started");
  await using events = await listen(http.url, { taskIds: [id] });
  await body?.cancel();
  await callTool(http.url, "open_gate", { gate: "closed" });
  await events.next(({ params }) => params?.status === "completed");
});

Deno.test("a task without a worker stays pending, and runs as soon as one comes", async () => {
  await using http = await serveHttp("operation");
  await using connection = await connectHttp(http.url);
  const { task } = await start(connection.client, "contract");
  assertEquals((await http.backend.get(task.taskId, "anonymous")).status, "PENDING");
  const waiting = connection.client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
  await using _worker = createWorker(http.backend, [{ ...contract, run: () => ({ ran: true }) }]);
  assertEquals((await waiting).structuredContent, { ran: true });
});

/** An `initialize` request with some other headers. */
function initialize(url: URL, headers: Record<string, string>): Promise<Response> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
  return post(url, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }), headers);
}

function post(url: URL, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const accept = "application/json, text/event-stream";
  return fetch(url, { method: "POST", body, headers: { "content-type": "application/json", accept, ...headers } });
}

/** A request under a foreign host name, written by hand: `fetch` sets the header itself. */
async function fromHost({ port }: URL, host: string): Promise<Response> {
  using client = await Connection.open(Number(port));
  const head = ["POST /mcp HTTP/1.1", `Host: ${host}`, "Content-Type: application/json", "Content-Length: 2"];
  await client.send([...head, "Connection: close", "", "{}"].join("\r\n"));
  const text = await client.read();
  const [status, body] = [text.split(" ")[1], text.slice(text.indexOf("\r\n\r\n") + 4)];
  return new Response(body, { status: Number(status) });
}

/** The status and the JSON-RPC error of a response. */
async function refusal(response: Response): Promise<{ status: number; code: number; message: string }> {
  const { jsonrpc, error } = await response.json();
  assertEquals(jsonrpc, "2.0");
  return { status: response.status, code: error.code, message: error.message };
}

Deno.test("over HTTP an invalid request is refused with a JSON-RPC error, and the server goes on", async (t) => {
  await using http = await serveHttp("operation");
  const { url } = http;
  const begun = await initialize(url, {});
  await begun.body?.cancel();
  const session = {
    "mcp-session-id": begun.headers.get("mcp-session-id") ?? "",
    "mcp-protocol-version": "2025-11-25",
  };

  await t.step("a foreign Host is 403", async () => {
    const { status, message } = await refusal(await fromHost(url, "evil.example"));
    assertEquals(status, 403);
    assertStringIncludes(message, "Host");
  });
  await t.step("a foreign Origin is 403", async () => {
    const { status, message } = await refusal(await initialize(url, { origin: "https://evil.example" }));
    assertEquals(status, 403);
    assertStringIncludes(message, "Origin");
  });
  await t.step("an unknown session is 404", async () => {
    const { status, message } = await refusal(await initialize(url, { "mcp-session-id": "constructor" }));
    assertEquals(status, 404);
    assertStringIncludes(message, "Session not found");
  });
  await t.step("another path is 404", async () => {
    const response = await post(new URL("/elsewhere", url), "{}");
    assertEquals([response.status, await response.text()], [404, "Not found. MCP is served at /mcp.\n"]);
  });
  const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  for (const [where, headers] of [["before", {}], ["in", session]] as const) {
    await t.step(`malformed JSON ${where} a session is -32700`, async () => {
      const { status, code } = await refusal(await post(url, `{"jsonrpc": `, headers));
      assertEquals([status, code], [400, -32700]);
    });
    await t.step(`a batch ${where} a session is -32600`, async () => {
      const { status, code, message } = await refusal(await post(url, `[${ping},${ping}]`, headers));
      assertEquals([status, code], [400, -32600]);
      assertStringIncludes(message.toLowerCase(), "batch");
    });
    await t.step(`what is no JSON-RPC ${where} a session is -32600`, async () => {
      const { status, code } = await refusal(await post(url, `{"hello": "world"}`, headers));
      assertEquals([status, code], [400, -32600]);
    });
    await t.step(`a body over 17 MiB ${where} a session is 413`, async () => {
      const { status } = await refusal(await post(url, `"${"x".repeat(17 * 1024 * 1024)}"`, headers));
      assertEquals(status, 413);
    });
    await t.step(`a body of another type ${where} a session is 415`, async () => {
      const { status, message } = await refusal(await post(url, ping, { ...headers, "content-type": "text/plain" }));
      assertEquals(status, 415);
      assertStringIncludes(message, "application/json");
    });
  }
  await t.step("the session still answers", async () => {
    const response = await post(url, ping, session);
    assertEquals(response.status, 200);
    assertStringIncludes(await response.text(), `"result":{}`);
  });
  await t.step("a new client is still served", async () => {
    await using connection = await connectHttp(url);
    assertEquals(textOf(await call(connection.client, "ping")), "pong");
  });
});
