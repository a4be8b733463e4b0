/** What jobs log, as the official client of revision 2025-11-25 gets it over both transports. */
import { z } from "zod";
import { AsyncToolServer, defineJob, MemoryBackend, OperationResourceStrategy } from "../../mod.ts";
import { assertEquals, assertMatch } from "../../tools/std.ts";
import { serve } from "../support/served.ts";
import { connect, connectHttp, type Connection, start } from "./support/client.ts";
import { InPlaceTransport } from "./support/in_place.ts";

/** A server with a job that logs at several levels. */
function talkingServer(): AsyncToolServer {
  const server = new AsyncToolServer({
    name: "talking",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new OperationResourceStrategy(),
    audit: () => {},
  });
  const talk = defineJob({
    name: "talk",
    input: z.object({}),
    run: (_, ctx) => {
      void ctx.log("debug", "row 17");
      void ctx.log("begun");
      void ctx.log("warning", "page 3 is empty");
    },
  });
  server.registerAsyncTool(talk);
  return server;
}

const MESSAGES = [
  { level: "info", logger: "talk", data: "begun" },
  { level: "warning", logger: "talk", data: "page 3 is empty" },
];

/** What the client has got as log messages, without what names the task. */
function messagesOf({ notes }: Connection) {
  return notes.filter(({ method }) => method === "notifications/message").map(({ params }) => {
    const { _meta: _, ...message } = params ?? {};
    return message;
  });
}

async function converse(connection: Connection): Promise<void> {
  const { client, note } = connection;
  assertEquals(client.getServerCapabilities()?.logging, {});
  await client.callTool({ name: "talk", arguments: {} });
  assertEquals(messagesOf(connection), []);

  await client.setLoggingLevel("info");
  // They come before the answer of the call.
  await client.callTool({ name: "talk", arguments: {} });
  assertEquals(messagesOf(connection), MESSAGES);

  const { task: { taskId } } = await start(client, "talk");
  const last = await note(({ method, params }) =>
    method === "notifications/message" && params?.level === "warning" && params._meta !== undefined
  );
  assertEquals(last.params?._meta, { "io.modelcontextprotocol/related-task": { taskId } });
  assertEquals(messagesOf(connection), [...MESSAGES, ...MESSAGES]);

  const { contents: [log] } = await client.readResource({ uri: `mcp://results/talk/${taskId}/log` });
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  const text = log && "text" in log ? log.text : "";
  const lines = text.trimEnd().split("\n").map((line) => [line.slice(0, 24), line.slice(25)] as const);
  for (const [at] of lines) assertMatch(at, time);
  assertEquals(lines.map(([, line]) => line), ["debug row 17", "info begun", "warning page 3 is empty"]);
}

Deno.test("a client over stdio that sets a level gets what its calls and tasks log, and reads the log", async () => {
  // The transport of the older client has the same methods.
  const transport = new InPlaceTransport(talkingServer()) as unknown as Parameters<typeof connect>[0];
  await using connection = await connect(transport);
  await converse(connection);
});

Deno.test("a client over HTTP that sets a level gets what its calls and tasks log, and reads the log", async () => {
  await using served = await serve(talkingServer());
  await using connection = await connectHttp(served.url);
  await converse(connection);
});
