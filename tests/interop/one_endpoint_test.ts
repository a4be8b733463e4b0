/**
 * Clients of both eras on one HTTP endpoint: one task behind, in the words of each.
 *
 * @module
 */
import { assert, assertEquals } from "../../tools/std.ts";
import { ask, callTool, Events, listen, request } from "../mcp/support/modern.ts";
import { call, CallToolResultSchema, connectHttp, serveHttp, start } from "./support/client.ts";

Deno.test("a task begun by a 2025-11-25 client is read, followed and cancelled by a 2026-07-28 client", async () => {
  await using http = await serveHttp("operation");
  await using legacy = await connectHttp(http.url);
  const { taskId } = (await start(legacy.client, "hold", { gate: "cancel" })).task;
  await using events = await listen(http.url, { taskIds: [taskId] });
  assertEquals((await events.next()).params?.notifications, { taskIds: [taskId] });
  const { result } = await ask(http.url, "tasks/get", { taskId });
  assertEquals([result?.taskId, result?.status], [taskId, "working"]);
  await ask(http.url, "tasks/cancel", { taskId });
  await events.next(({ params }) => params?.status === "cancelled");
  assertEquals((await legacy.client.experimental.tasks.getTask(taskId)).status, "cancelled");
});

Deno.test("a task begun by a 2026-07-28 client is read and awaited by a 2025-11-25 client", async () => {
  await using http = await serveHttp("operation");
  await using legacy = await connectHttp(http.url);
  const { taskId, _meta } = await callTool(http.url, "hold", { gate: "result" });
  const tasks = legacy.client.experimental.tasks;
  assertEquals((await tasks.getTask(taskId)).status, "working");
  const waiting = tasks.getTaskResult(taskId, CallToolResultSchema);
  await call(legacy.client, "open_gate", { gate: "result" });
  const { _meta: meta, ...result } = await waiting;
  const { _meta: __, resultType: ___, ...inlined } = (await ask(http.url, "tasks/get", { taskId })).result?.result ??
    {};
  assertEquals<unknown>(result, inlined);
  assertEquals(meta?.resourceUri, _meta.resourceUri);
  const uri = _meta.resourceUri;
  const old = await legacy.client.readResource({ uri });
  assertEquals((await ask(http.url, "resources/read", { uri })).result?.contents, old.contents);
});

Deno.test("a job that fails is failed to a 2025-11-25 client, and completed with an error to a 2026-07-28 client", async () => {
  await using http = await serveHttp("operation");
  await using legacy = await connectHttp(http.url);
  const { taskId } = (await start(legacy.client, "fail", { what: "tool_error" })).task;
  const tasks = legacy.client.experimental.tasks;
  assertEquals((await tasks.getTaskResult(taskId, CallToolResultSchema)).isError, true);
  assertEquals((await tasks.getTask(taskId)).status, "failed");
  const { result } = await ask(http.url, "tasks/get", { taskId });
  assertEquals([result?.status, result?.result.isError], ["completed", true]);
});

Deno.test("a 2026-07-28 request belongs to no session, whatever session its headers name", async () => {
  await using http = await serveHttp("operation");
  await using legacy = await connectHttp(http.url);
  const { taskId } = (await start(legacy.client, "contract")).task;
  assert("sessionId" in legacy.transport);
  for (const session of [String(legacy.transport.sessionId), crypto.randomUUID(), "x"]) {
    const asked = request(http.url, "tasks/get", { taskId });
    asked.headers.set("mcp-session-id", session);
    await using events = new Events(await fetch(asked));
    const { result } = await events.next();
    assertEquals([result?.resultType, result?.taskId, result?.status], ["complete", taskId, "working"]);
  }
});
