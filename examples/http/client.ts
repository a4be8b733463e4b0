/** Runs a task as a 2025-11-25 client, and reads the same task as a 2026-07-28 client: the token names its owner. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { z } from "zod";
import { Child } from "../runner/child.ts";
import { roleCommand } from "../shared/role.ts";
import { printUpdate } from "../shared/update.ts";
import { issue, JWKS_VARIABLE } from "./token.ts";

const INFO = { name: "http-client", version: "1.0.0" };

/** What `tasks/get` of 2026-07-28 returns for a completed task; it includes the result. */
const FinishedTask = z.looseObject({
  status: z.string(),
  result: z.looseObject({ structuredContent: z.looseObject({}) }),
});

const { jwks, token } = await issue("ann");
const requestInit = { headers: { authorization: `Bearer ${token}` } };
await runBoth();

// A function, because a bundle loses an `await using` at the top level of a file.
async function runBoth(): Promise<void> {
  await using server = new Child("server", roleCommand("http", "server"), { [JWKS_VARIABLE]: jwks }, "piped");
  const first = await server.lines().next();
  const url = new URL(String(first.value));

  const { status } = await fetch(url, { method: "POST" });
  if (status !== 401) throw new Error(`Without a token the server answered ${status}, not 401.`);

  const { taskId, uri } = await runReport(url);
  const modern = new ModernClient(INFO, {
    capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } },
    versionNegotiation: { mode: { pin: "2026-07-28" } },
  });
  await modern.connect(new ModernTransport(url, { requestInit }));
  const task = await modern.request({ method: "tasks/get", params: { taskId } }, FinishedTask);
  printUpdate({ status: task.status, result: task.result.structuredContent });
  const { contents: [content] } = await modern.readResource({ uri });
  if (content === undefined || !("text" in content)) throw new Error(`The resource ${uri} has no text.`);
  printUpdate({ resource: { uri, content: JSON.parse(content.text) } });
  await modern.close();
}

/** Returns the id of the task and the URI of its result. */
async function runReport(url: URL): Promise<{ readonly taskId: string; readonly uri: string }> {
  const client = new Client(INFO);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  const stream = client.experimental.tasks.callToolStream(
    { name: "generate_report", arguments: { user_id: "42" } },
    undefined,
    { task: { ttl: 600_000 }, onprogress: ({ progress, message }) => printUpdate({ progress, message }) },
  );
  let [taskId, uri] = ["", ""];
  for await (const event of stream) {
    if (event.type === "error") throw event.error;
    if (event.type === "result") {
      uri = String(event.result._meta?.resourceUri);
    } else {
      taskId = event.task.taskId;
      printUpdate({ status: event.task.status });
    }
  }
  await client.close();
  return { taskId, uri };
}
