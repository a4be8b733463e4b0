/**
 * What docs/recipes/deploying.md says of a new version of a job: old and new servers and workers share a store, and clients
 * stay connected.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  createWorker,
  defineJob,
  type ExposureStrategy,
  implement,
  type Job,
  MemoryBackend,
  PollingExposureStrategy,
  type RegisterOptions,
} from "../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../tools/std.ts";

/** What one version of a program offers. */
interface Version {
  readonly job: Job;
  readonly options?: RegisterOptions;
  readonly strategy?: ExposureStrategy;
}

/** Two versions on one store, and a client of each. */
class Versions extends MemoryBackend {
  readonly #stack = new AsyncDisposableStack();

  /** A server closes its backend: here the next version goes on to use it. */
  override close(): Promise<void> {
    return Promise.resolve();
  }

  async connect({ job, options, strategy }: Version): Promise<Client> {
    const server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend: this, strategy, audit: () => {} });
    server.registerAsyncTool(job, options);
    this.#stack.defer(() => server.close());
    const client = new Client({ name: "connected", version: "1.0.0" });
    const transport = new StreamableHTTPClientTransport(new URL("http://127.0.0.1/mcp"), {
      fetch: (url, init) => server.fetch(new Request(url, init)),
    });
    await client.connect(transport);
    this.#stack.defer(() => client.close());
    await client.listTools(); // It then checks results against what it has listed.
    return client;
  }

  /** Runs these jobs until the test ends. */
  async runJobs(...jobs: readonly Job[]): Promise<void> {
    await this.#stack.use(createWorker(this, jobs)).ready;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await super.close();
  }
}

const input = z.object({ user: z.string() });
const report = defineJob({ name: "report", input, output: z.object({ total: z.number() }) });
const call = { name: "report", arguments: { user: "ann" } };
/** Its calls return a handle at once. */
const strategy = new AdaptiveExposureStrategy({ answerWithin: 0 });

/** The answer of a tool, as data. */
async function answer(client: Client, name: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
  return (await client.callTool({ name, arguments: args })).structuredContent as Record<string, unknown>;
}

Deno.test("a client that has listed the tools before takes a result that has a further field since", async () => {
  await using store = new Versions();
  const client = await store.connect({ job: report });
  const output = z.object({ total: z.number(), currency: z.string().optional() });
  await store.runJobs(defineJob({ name: "report", input, output, run: () => ({ total: 3, currency: "EUR" }) }));
  assertEquals((await client.callTool(call)).structuredContent, { total: 3, currency: "EUR" });
});

Deno.test("a task of a job that has another name since waits, and the code of the new one runs it under the old name", async () => {
  await using store = new Versions();
  const before = await store.connect({ job: report, strategy });
  const { token } = await answer(before, "report", call.arguments);
  const renamed = implement(defineJob({ name: "revenue", input }), ({ user }) => ({ total: user.length }));
  const after = await store.connect({ job: renamed, strategy });
  const { content } = await after.callTool({ name: "task_status", arguments: { token } });
  assertStringIncludes(JSON.stringify(content), "this server does not offer report");
  await store.runJobs(renamed, { ...renamed, name: "report" });
  const { status, result } = await answer(before, "task_status", { token });
  assertEquals([status, result], ["COMPLETED", { total: 3 }]);
});

Deno.test("where only the tool has another name or strategy since, its tools read the tasks of before", async () => {
  await using store = new Versions();
  const before = await store.connect({ job: report, strategy });
  const { token } = await answer(before, "report", call.arguments);
  await store.runJobs(implement(report, ({ user }) => ({ total: user.length })));
  assertEquals((await answer(before, "task_status", { token })).status, "COMPLETED");
  const renamed = await store.connect({ job: report, options: { name: "revenue" }, strategy });
  assertEquals((await answer(renamed, "task_status", { token })).result, { total: 3 });
  const polling = new PollingExposureStrategy();
  const other = await store.connect({ job: report, options: { name: "revenue" }, strategy: polling });
  assertEquals((await answer(other, "revenue_status", { token })).status, "COMPLETED");
});
