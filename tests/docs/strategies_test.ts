/** What docs/strategies.md says about the tools of each strategy, compared with what a server lists. */
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  BlockingExposureStrategy,
  type ExposureStrategy,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
} from "@mcp-jobs/mcp-jobs";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { generateReport } from "../../examples/shared/jobs.ts";
import { assert, assertEquals } from "../../tools/std.ts";

const STRATEGIES: readonly ExposureStrategy[] = [
  new AdaptiveExposureStrategy(),
  new OperationResourceStrategy(),
  new PollingExposureStrategy(),
  new SingleToolExposureStrategy(),
  new BlockingExposureStrategy(),
];

Deno.test("docs/strategies.md says how many tools six jobs have, and how long their definitions are", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/strategies.md", import.meta.url));
  const [, table = ""] = page.split("\n## What each costs\n");
  for (const strategy of STRATEGIES) {
    const { name } = strategy.constructor;
    const row = table.split("\n").find((line) => line.startsWith(`| \`${name}\` `)) ?? "";
    const [count, model, whole] = row.split("|").slice(2, 5).map((cell) => parseInt(cell.replaceAll(/[, ]/g, "")));
    const tools = await toolsOf(strategy);
    assertEquals(count, tools.length, name);
    const seen = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    assertClose(model, JSON.stringify(seen).length, `${name}: name, description and input`);
    assertClose(whole, JSON.stringify(tools).length, `${name}: all`);
  }
});

async function toolsOf(strategy: ExposureStrategy): Promise<Awaited<ReturnType<Client["listTools"]>>["tools"]> {
  const server = new AsyncToolServer({ name: "six", version: "1.0.0", backend: new MemoryBackend(), strategy });
  for (let number = 1; number <= 6; number++) {
    server.registerAsyncTool(generateReport, { name: `generate_report${number}` });
  }
  const client = new Client({ name: "docs-test", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL("http://127.0.0.1/mcp"), {
    fetch: (url, init) => server.fetch(new Request(url, init)),
  });
  await client.connect(transport);
  const { tools } = await client.listTools();
  await client.close();
  await server.close();
  return tools;
}

/** The page rounds to hundreds. */
function assertClose(said: number | undefined, found: number, what: string): void {
  assert(said !== undefined && Math.abs(said - found) <= 150, `${what}: the page says ${said}, it is ${found}.`);
}
