/** When and how urgently a task runs, as its call says: with each strategy, in both revisions, through the official client. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { z } from "zod";
import type { NewTask } from "../../backend.ts";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  BlockingExposureStrategy,
  createWorker,
  defineJob,
  DefinitionError,
  type ExposureStrategy,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
} from "../../mod.ts";
import { type RegistryOptions, ToolRegistry } from "../../strategy.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../tools/std.ts";
import type { Fields } from "../mcp/support/wire_message.ts";

const URL_OF_IT = new URL("http://localhost/mcp");

/** Its schema takes no fields but its own. */
const greet = defineJob({
  name: "greet",
  input: z.strictObject({ name: z.string() }),
  run: (input, { job, owner }) => ({ input, job, owner }),
});

/** Keeps what it was given to store. */
class Watched extends MemoryBackend {
  readonly created: NewTask[] = [];
  override async create(task: NewTask, admit?: () => Promise<void>) {
    const stored = await super.create(task, admit);
    if (stored.id === task.id) this.created.push(task);
    return stored;
  }
}

/** A server of the job, and a client of one revision. */
async function stage(strategy: ExposureStrategy, mode: "legacy" | { readonly pin: string }, options?: RegistryOptions) {
  const backend = new Watched();
  const worker = createWorker(backend, [greet]);
  const server = new AsyncToolServer({ name: "per_call", version: "1.0.0", backend, strategy });
  server.registerAsyncTool(greet, { perCall: ["startAt", "priority"], ...options });
  const client = new Client({ name: "per_call", version: "1.0.0" }, { versionNegotiation: { mode } });
  const toServer = (url: string | URL, init?: RequestInit) => {
    const headers = new Headers(init?.headers);
    headers.set("host", URL_OF_IT.host);
    return server.fetch(new Request(url, { ...init, headers }));
  };
  await client.connect(new StreamableHTTPClientTransport(URL_OF_IT, { fetch: toServer }));
  return {
    backend,
    client,
    call: async (name: string, args: Fields): Promise<Fields> => await client.callTool({ name, arguments: args }),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await worker.close();
      await server.close();
    },
  };
}

const MODES = { "2025-11-25": "legacy", "2026-07-28": { pin: "2026-07-28" } } as const;

/** The tool that starts a task, with each strategy, and its arguments for an input. */
const STARTS: { readonly [strategy: string]: readonly [ExposureStrategy, string, (input: Fields) => Fields] } = {
  adaptive: [new AdaptiveExposureStrategy(), "greet", (input) => input],
  operation: [new OperationResourceStrategy(), "greet", (input) => input],
  blocking: [new BlockingExposureStrategy(), "greet", (input) => input],
  polling: [new PollingExposureStrategy(), "greet_start", (input) => input],
  single: [
    new SingleToolExposureStrategy(),
    "greet",
    ({ name, ...perCall }) => ({ action: "start", input: { name }, ...perCall }),
  ],
};

const HOUR = 3_600_000;

for (const [revision, mode] of Object.entries(MODES)) {
  for (const [name, [strategy, tool, args]] of Object.entries(STARTS)) {
    Deno.test(`with the ${name} strategy, a ${revision} call sets the start and the priority of its task, and the job sees neither`, async () => {
      await using it = await stage(strategy, mode);
      const { tools } = await it.client.listTools();
      const listed: Fields = tools.find((one) => one.name === tool)?.inputSchema ?? {};
      assertEquals([listed.properties.startAt.format, listed.properties.priority.type], ["date-time", "integer"]);
      assert(!listed.required.includes("startAt") && !listed.required.includes("priority"));

      const past = new Date(Date.now() - HOUR).toISOString();
      await it.call(tool, args({ name: "Ann", startAt: past, priority: 7 }));
      const [first] = it.backend.created;
      assertEquals([first?.delay, first?.priority, first?.input], [0, 7, { name: "Ann" }]);

      const refused = await it.call(tool, args({ name: "Ann", startAt: "tomorrow" })).catch((error) => error);
      assertStringIncludes(JSON.stringify(refused.content) ?? refused.message, "startAt");
      assertEquals(it.backend.created.length, 1);
    });
  }
}

Deno.test("a call whose task starts later than the call waits returns the token at once", async () => {
  await using it = await stage(new AdaptiveExposureStrategy(), MODES["2025-11-25"]);
  const startAt = new Date(Date.now() + HOUR).toISOString();
  const { structuredContent: { token, status } } = await it.call("greet", { name: "Ann", startAt });
  assertEquals(status, "PENDING");
  const task = await it.backend.get(token, it.backend.created[0]?.owner ?? "");
  assert("dueAt" in task && task.dueAt !== undefined);
  assert(Math.abs(task.dueAt - task.createdAt - HOUR) < 60_000);
});

Deno.test("a call that waits for its result cannot start its task after its wait", async () => {
  await using it = await stage(new BlockingExposureStrategy({ maxWait: 30_000 }), MODES["2026-07-28"]);
  const startAt = new Date(Date.now() + HOUR).toISOString();
  const { isError, content } = await it.call("greet", { name: "Ann", startAt });
  assertEquals([isError, it.backend.created.length], [true, 0]);
  assertStringIncludes(content[0].text, "startAt: must be at most 30 s ahead");
});

Deno.test("starts that differ only in start time and priority count as equal", async () => {
  await using it = await stage(new PollingExposureStrategy(), MODES["2025-11-25"], { unique: true });
  const at = (hours: number) => new Date(Date.now() + hours * HOUR).toISOString();
  const start = async (args: Fields) =>
    (await it.call("greet_start", { name: "Ann", ...args })).structuredContent.token;
  const first = await start({ startAt: at(1), priority: 3 });
  assertEquals([await start({ startAt: at(2) }), await start({})], [first, first]);
  assertEquals(it.backend.created.length, 1);
});

for (const name of ["polling", "single"]) {
  Deno.test(`with the ${name} strategy, starts with one idempotency key are one task, also with another start time and priority`, async () => {
    const [strategy, tool, args] = STARTS[name] ?? [];
    assert(strategy && tool && args);
    await using it = await stage(strategy, MODES["2025-11-25"]);
    const keyed = async (key: string, more: Fields = {}) => {
      const _meta = { "mcp-jobs/idempotencyKey": key };
      const call = { name: tool, arguments: args({ name: "Ann", ...more }), _meta };
      return (await it.client.callTool(call) as Fields).structuredContent.token;
    };
    const startAt = new Date(Date.now() + HOUR).toISOString();
    const first = await keyed("one", { startAt });
    assertEquals([await keyed("one", { priority: 1 }), await keyed("two") === first], [first, false]);
  });
}

Deno.test("an invalid time, one without a time zone or over a year ahead, and a priority out of range are refused", async () => {
  await using it = await stage(new PollingExposureStrategy(), MODES["2025-11-25"]);
  const refused = async (args: Fields) => {
    const { isError, content } = await it.call("greet_start", { name: "Ann", ...args });
    assertEquals(isError, true, JSON.stringify(args));
    return content[0].text;
  };
  const far = new Date(Date.now() + 366 * 24 * HOUR).toISOString();
  for (
    const startAt of ["2030-02-30T10:00:00Z", "2030-02-03T10:00:00", "2030-02-03", 7, "2030-02-03T25:00:00Z"]
  ) {
    assertStringIncludes(await refused({ startAt }), "startAt: must be an ISO 8601 date and time with a time zone");
  }
  assertStringIncludes(await refused({ startAt: far }), "startAt: must be at most 365 days ahead");
  for (const priority of [-1, 1_001, 0.5, "1"]) {
    assertStringIncludes(await refused({ priority }), "priority: must be a whole number from 0 to 1000");
  }
  assertEquals(it.backend.created, []);
});

Deno.test("a time and a priority that are null count as left out", async () => {
  await using it = await stage(new PollingExposureStrategy(), MODES["2025-11-25"]);
  assertEquals((await it.call("greet_start", { name: "Ann", startAt: null, priority: null })).isError, undefined);
  assertEquals(it.backend.created.map(({ input }) => input), [{ name: "Ann" }]);
});

Deno.test("a registration without `perCall` offers neither field, and one with `startAt` only no priority", async () => {
  await using none = await stage(new PollingExposureStrategy(), MODES["2025-11-25"], { perCall: [] });
  assertEquals((await none.call("greet_start", { name: "Ann", priority: 1 })).isError, true);
  await using one = await stage(new PollingExposureStrategy(), MODES["2025-11-25"], { perCall: ["startAt"] });
  assertEquals((await one.call("greet_start", { name: "Ann", priority: 1 })).isError, true);
  assertEquals(
    (await one.call("greet_start", { name: "Ann", startAt: "2020-01-01T00:00:00+01:00" })).isError,
    undefined,
  );
});

Deno.test("perCall is refused for a job whose input has such a field, or may not allow it", () => {
  const register = (input: Fields, perCall: RegistryOptions["perCall"] = ["priority"]) =>
    new ToolRegistry().register(defineJob({ name: "own", input: { type: "object", ...input } }), { perCall });
  const priority = { type: "string" };
  for (
    const [input, why] of [
      [{ properties: { priority } }, "has a field priority already"],
      [{ anyOf: [{ properties: { priority } }, {}] }, "has a field priority already"],
      [{ allOf: [{ properties: { name: {} }, additionalProperties: false }] }, "`additionalProperties`"],
      [{ $ref: "#/$defs/own", $defs: { own: {} } }, "`$ref`"],
      [{ patternProperties: { "^p": {} } }, "`patternProperties`"],
    ] satisfies readonly [Fields, string][]
  ) assertThrows(() => register(input), DefinitionError, why);
  assertThrows(() => register({ properties: { priority } }), DefinitionError, "Cannot register own with priority in");
  register({ properties: { priority }, anyOf: [{ required: ["a"] }, { required: ["b"] }] }, ["startAt"]);
  register({ additionalProperties: false });
  // @ts-expect-error There is no such field.
  assertThrows(() => register({}, ["when"]), DefinitionError, 'it must be a list of "startAt" and "priority"');
});
