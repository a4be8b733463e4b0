/**
 * Questions to clients of 2026-07-28 in answers to calls and to tasks/get. What the tasks extension does is in
 * transcripts/extension.txt; plain_rounds_test.ts has the rounds of a plain call.
 *
 * @module
 */
import { assert, assertEquals } from "../../../tools/std.ts";
import { serveHttp } from "../../interop/support/client.ts";
import { ask, callTool } from "../support/modern.ts";

const ASKED = "question-02633ff0843c";
const ADA = { action: "accept", content: { name: "Ada" } };
const FORMS = { elicitation: {} };

Deno.test("a plain call returns with the job's question, and goes on when it is called again", async () => {
  await using http = await serveHttp("operation");
  const asked = await callTool(http.url, "ask", {}, {}, FORMS);
  assertEquals([asked.resultType, Object.keys(asked.inputRequests)], ["input_required", [ASKED]]);
  const { requestState } = asked;
  const again = await callTool(http.url, "ask", {}, { requestState }, FORMS);
  assertEquals([again.resultType, again.requestState], ["input_required", requestState]);
  const done = await callTool(http.url, "ask", {}, { requestState, inputResponses: { [ASKED]: ADA } }, FORMS);
  assertEquals([done.resultType, done.structuredContent], ["complete", ADA]);
  const { tasks } = await http.backend.list("anonymous", { limit: 10 });
  assertEquals(tasks.map(({ id, job }) => [id, job]), [[requestState, "ask"]]);
});

Deno.test("a requestState that names no task of this job is refused", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "must");
  for (const requestState of [taskId, "no such task", "", { id: taskId }]) {
    const params = { name: "ask", arguments: {}, requestState };
    const { error } = await ask(http.url, "tools/call", params, FORMS);
    assertEquals(error?.code, -32602, JSON.stringify(requestState));
  }
});

Deno.test("answers that come with another tool's call are not stored", async () => {
  await using http = await serveHttp("operation");
  const { requestState } = await callTool(http.url, "ask", {}, {}, FORMS);
  const params = { name: "nothing", arguments: {}, requestState, inputResponses: { [ASKED]: ADA } };
  assertEquals((await ask(http.url, "tools/call", params, FORMS)).error?.code, -32602);
  assertEquals((await http.backend.get(requestState, "anonymous")).status, "INPUT_REQUIRED");
});

Deno.test("a client that cannot be asked gets no questions", async () => {
  await using http = await serveHttp("operation");
  const only = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const { taskId } = await callTool(http.url, "ask", {}, {}, only);
  let task = (await ask(http.url, "tasks/get", { taskId }, only)).result;
  while (task?.status === "working") task = (await ask(http.url, "tasks/get", { taskId }, only)).result;
  assertEquals([task?.status, task?.inputRequests], ["input_required", {}]);
  const full = (await ask(http.url, "tasks/get", { taskId })).result;
  assert(ASKED in full?.inputRequests);
  await ask(http.url, "tasks/update", { taskId, inputResponses: { [ASKED]: ADA } });
});

Deno.test("tasks/update without inputResponses is refused, and with empty ones it is not", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "contract");
  assertEquals((await ask(http.url, "tasks/update", { taskId, inputResponses: {} })).error, undefined);
  const { error } = await ask(http.url, "tasks/update", { taskId });
  assertEquals([error?.code, error?.message], [-32602, "Invalid params: inputResponses: is missing"]);
});
