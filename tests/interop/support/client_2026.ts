/**
 * The official client of both eras, `@modelcontextprotocol/client`, with `ext-tasks` on top, over either transport.
 *
 * @module
 */
import { Client, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import {
  type ApplicationElicitResult,
  type ApplicationInputHandler,
  createTaskSessionFromClient,
  type TaskEnabledSession,
  toolDeclarationFromMcpTool,
} from "@modelcontextprotocol/ext-tasks/client";
import { rawDispatch } from "../../../examples/adaptive/clients/raw_dispatch.ts";
import type { StrategyName } from "./fixture.ts";
import { InPlaceTransport } from "./in_place.ts";

/** How a client finds out which era a server speaks. */
export type Mode = "legacy" | "auto" | { readonly pin: string };

/** Answers a question. */
export type Person = (message: string) => ApplicationElicitResult;

/** How requests are sent. */
type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** A connected client. */
export interface ModernConnection extends AsyncDisposable {
  readonly client: Client;
  readonly tasks: TaskEnabledSession;
}

const INFO = { name: "interop-2026", version: "1.0.0" };
const CAPABILITIES = { elicitation: {}, extensions: { "io.modelcontextprotocol/tasks": {} } };

/** The SDK asks a sibling process of its own transport first, and leaves a timer behind; any other it asks in place. */
export class StdioTransport extends StdioClientTransport {}

/** Connects over HTTP; with `fetch` to a server that it leads to without a network. */
export function connectModernHttp(url: URL, mode: Mode, person?: Person, fetch?: Fetch): Promise<ModernConnection> {
  return connect(new StreamableHTTPClientTransport(url, { fetch }), mode, person);
}

/** Connects over stdio to a fixture server that runs in this process. */
export function connectModernStdio(
  strategy: StrategyName,
  mode: Mode,
  person?: Person,
): Promise<ModernConnection> {
  return connect(new InPlaceTransport(strategy), mode, person);
}

/** Connects a client of 2026-07-28 that knows no tasks: over HTTP to a URL, else over stdio to a server in this process. */
export async function connectWithoutTasks(url?: URL): Promise<AsyncDisposable & { readonly client: Client }> {
  const transport = url ? new StreamableHTTPClientTransport(url) : new InPlaceTransport("operation");
  const client = new Client(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(transport);
  return { client, [Symbol.asyncDispose]: () => close(client, transport) };
}

/** Connects over this transport. */
export async function connect(
  transport: Transport,
  mode: Mode,
  person?: Person,
): Promise<ModernConnection> {
  const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
  await client.connect(transport);
  const { tools } = await client.listTools();
  const declarations = new Map(tools.map((tool) => [tool.name, toolDeclarationFromMcpTool(tool)]));
  const options = {
    endpointId: "fixture",
    tools: { currentTool: (name: string) => declarations.get(name) },
    ...(person && { onInputRequest: asked(person) }),
  };
  const framing = { protocolVersion: "2026-07-28", clientInfo: INFO, clientCapabilities: CAPABILITIES };
  const tasks = client.getProtocolEra() === "modern"
    ? createTaskSessionFromClient(client, {
      ...options,
      rawDispatch: rawDispatch(transport),
      v2RequestFraming: framing,
    })
    : createTaskSessionFromClient(client, options);
  return {
    client,
    tasks,
    [Symbol.asyncDispose]: async () => {
      await tasks.close();
      await close(client, transport);
    },
  };
}

/** Closing the stdio client leaves a timer of 2 s behind, unless the server is gone by then. */
export async function close(
  client: { onclose?: () => void; close(): Promise<void> },
  transport: object,
): Promise<void> {
  if ("pid" in transport && typeof transport.pid === "number") {
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    client.onclose = resolve;
    Deno.kill(transport.pid, "SIGTERM");
    await gone;
  }
  await client.close();
}

function asked(person: Person): ApplicationInputHandler["handle"] {
  const handle = ({ params }: { readonly params?: Readonly<Record<string, unknown>> }) =>
    Promise.resolve(person(String(params?.message)));
  return handle as ApplicationInputHandler["handle"];
}
