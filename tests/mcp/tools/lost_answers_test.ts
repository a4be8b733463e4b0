/**
 * Answers that the client gave up while they were on their way: the next call gets them.
 *
 * @module
 */
import { AdaptiveExposureStrategy, AsyncToolServer, defineJob, type Job, MemoryBackend } from "../../../mod.ts";
import { ANONYMOUS } from "../../../src/mcp/peer.ts";
import { LostAnswers } from "../../../src/mcp/tools/lost_answers.ts";
import { ToolRegistry } from "../../../src/registry.ts";
import { listOf } from "../../../src/tasks/starting/task_keys.ts";
import { createWorker } from "../../../src/worker.ts";
import { assertEquals } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { Raw } from "../http/support/raw.ts";

/** A server with a job that counts its runs, and a client in a session. */
async function serve(...jobs: readonly Job[]) {
  let runs = 0;
  const count = defineJob({ name: "count", input: { type: "object" }, run: () => ({ runs: ++runs }) });
  const backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend });
  for (const job of [count, ...jobs]) server.registerAsyncTool(job);
  // Nobody runs this one.
  const idle = defineJob({ name: "idle", input: { type: "object" } });
  server.registerAsyncTool(idle, { strategy: new AdaptiveExposureStrategy({ answerWithin: 0, toolPrefix: "idle_" }) });
  await createWorker(backend, [count, ...jobs]).ready; // It stops with the backend.
  const client = await Raw.open(server.fetch);
  const call = async (name = "count") => {
    const { result } = await client.ask("tools/call", { name, arguments: {} });
    return result.structuredContent;
  };
  return { server, backend, client, call };
}

Deno.test("the next call gets the result that was sent as the client's time limit passed", async () => {
  const { server, client, call } = await serve();
  await using _server = server;
  assertEquals(await call(), { runs: 1 });
  await client.cancel(client.id, "McpError: MCP error -32001: Request timed out");
  assertEquals(await call(), { runs: 1 });
  // That one was received.
  assertEquals(await call(), { runs: 2 });
});

Deno.test("the next call gets the handle that was sent as the client's time limit passed", async () => {
  const { server, client, call } = await serve();
  await using _server = server;
  const { token } = await call("idle");
  await client.cancel(client.id, "Request timed out");
  assertEquals((await call("idle")).token, token);
});

Deno.test("a result is not kept for the next call if a person cancels too late, or another call is cancelled", async () => {
  const { server, client, call } = await serve();
  await using _server = server;
  assertEquals(await call(), { runs: 1 });
  await client.cancel(client.id, "The user has changed their mind.");
  await client.cancel(client.id + 7, "Request timed out");
  assertEquals(await call(), { runs: 2 });
});

Deno.test("the next call gets the result whose stream the client had closed", async () => {
  const { server, backend, client, call } = await serve();
  await using _server = server;
  const ended = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && ended.resolve());
  const response = await client.post("tools/call", { name: "count", arguments: {} });
  await response.body?.cancel();
  await ended.promise;
  assertEquals(await call(), { runs: 1 });
});

Deno.test("a call whose client has closed its stream leaves its task to the next call, which may come before the end", async () => {
  let runs = 0;
  const opened = Promise.withResolvers<void>();
  const slow = defineJob({
    name: "slow",
    input: { type: "object" },
    run: async () => {
      runs++;
      await opened.promise;
      return { runs };
    },
  });
  const { server, backend, client, call } = await serve(slow);
  await using _server = server;
  const response = await client.post("tools/call", { name: "slow", arguments: {} });
  const { owner, key } = listOf(new ToolRegistry().register(slow), {}, ANONYMOUS.owner);
  await until(async () => await backend.keys.readKey(owner, key) !== undefined, "the store knows that the call waits");
  await response.body?.cancel();
  const again = [call("slow"), call("slow")];
  await until(
    async () => (await backend.list(owner, { limit: 9 })).tasks.length === 2,
    "one of them has a task of its own",
  );
  opened.resolve();
  assertEquals((await Promise.all(again)).length, 2);
  assertEquals(runs, 2);
});

Deno.test("an answer counts as just sent for a minute, and only the last hundred of a connection do", () => {
  let now = 0;
  const answers = new LostAnswers(() => now);
  const lost: string[] = [];
  const send = (id: string) => answers.add(id, () => lost.push(id));
  send("old");
  now = 60_000;
  answers.givenUp("old");
  for (let i = 0; i < 100; i++) send(`${i}`);
  send("100");
  for (const id of ["0", "1", "100", "100"]) answers.givenUp(id);
  assertEquals(lost, ["1", "100"]);
});
