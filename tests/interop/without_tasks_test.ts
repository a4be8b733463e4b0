/**
 * The official client of 2026-07-28 as it is, without tasks: a call of a job waits for its end.
 *
 * @module
 */
import { assertEquals, assertMatch, assertRejects } from "../../tools/std.ts";
import { serveHttp, type TransportName } from "./support/client.ts";
import { connectWithoutTasks } from "./support/client_2026.ts";

for (const transport of ["stdio", "http"] satisfies TransportName[]) {
  Deno.test(`a 2026-07-28 client without tasks gets results, progress and errors of jobs over ${transport}`, async () => {
    await using http = transport === "http" ? await serveHttp("operation") : undefined;
    await using connection = await connectWithoutTasks(http?.url);
    const { client } = connection;
    assertEquals(client.getProtocolEra(), "modern");
    const { promise: lastReport, resolve: reported } = Promise.withResolvers<void>();
    const calling = client.callTool({ name: "steps", arguments: { gate: "go", end: "end", steps: 3 } }, {
      onprogress: ({ message }) => message === "step 3 of 3" && reported(),
    });
    await client.callTool({ name: "open_gate", arguments: { gate: "go" } });
    await lastReport;
    await client.callTool({ name: "open_gate", arguments: { gate: "end" } });
    assertEquals((await calling).structuredContent, { taken: 3 });
    const failed = await client.callTool({ name: "fail", arguments: { what: "tool_error" } });
    assertEquals([failed.isError, failed.content], [true, [{ type: "text", text: "Failed: The card was declined." }]]);
    await client.listTools(); // From then on it holds results against their output schemas.
    const large = await client.callTool({ name: "big", arguments: { size: 2_000_000 } });
    assertEquals(large.content.map(({ type }) => type), ["text", "resource_link"]);
    assertMatch(JSON.stringify(large.structuredContent), /"status":"COMPLETED".*"pages":\d+/);
    await assertRejects(() => client.callTool({ name: "fault", arguments: {} }), Error, "The engine is on fire.");
    await assertRejects(() => client.callTool({ name: "must", arguments: {} }), Error, "Missing required client");
  });
}

// Over HTTP Deno's fetch forgets the client's signal now and then, with the garbage: http_test.ts closes the stream itself.
Deno.test("a 2026-07-28 client that gives up its call over stdio cancels the work", async () => {
  await using connection = await connectWithoutTasks();
  const { client } = connection;
  const end = new AbortController();
  const calling = client.callTool({ name: "hold", arguments: { gate: "up" } }, { signal: end.signal });
  const failed = assertRejects(() => calling, Error);
  await client.callTool({ name: "await_gate", arguments: { gate: "up:started" } });
  end.abort();
  await failed;
  await client.callTool({ name: "await_gate", arguments: { gate: "up:aborted" } });
});
