/** A client of SDK 2 that accepts tasks of revision 2026-07-28, through `ext-tasks`. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  createTaskSessionFromClient,
  type TaskEnabledSession,
  toolDeclarationFromMcpTool,
} from "@modelcontextprotocol/ext-tasks/client";
import { z } from "zod";
import type { Update } from "../../shared/update.ts";
import { type Arguments, type Caller, INFO } from "./caller.ts";
import { rawDispatch } from "./raw_dispatch.ts";

const REVISION = "2026-07-28";
const CAPABILITIES = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const Completed = z.object({ status: z.literal("completed"), result: z.object({ structuredContent: z.unknown() }) });

/** Connects it. */
export async function connectSdk2Tasks(url: URL): Promise<Caller> {
  const transport = new StreamableHTTPClientTransport(url);
  const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode: { pin: REVISION } } });
  await client.connect(transport);
  const { tools } = await client.listTools();
  const declared = new Map(tools.map((tool) => [tool.name, toolDeclarationFromMcpTool(tool)]));
  const session = createTaskSessionFromClient(client, {
    endpointId: "adaptive",
    tools: { currentTool: (name: string) => declared.get(name) },
    rawDispatch: rawDispatch(transport),
    v2RequestFraming: { protocolVersion: REVISION, clientInfo: INFO, clientCapabilities: CAPABILITIES },
  });
  return {
    run: (tool, args) => followTask(session, tool, args),
    [Symbol.asyncDispose]: async () => {
      await session.close();
      await client.close();
    },
  };
}

/** The server decides whether a call becomes a task; `ext-tasks` polls at the interval that the task names. */
async function* followTask(session: TaskEnabledSession, tool: string, args: Arguments): AsyncGenerator<Update> {
  await using execution = await session.callTool(tool, args);
  if (execution.kind === "task") yield { answer: "task", status: "working" };
  const { outcome } = await execution.settle();
  yield { answer: "result", result: Completed.parse(outcome).result.structuredContent };
}
