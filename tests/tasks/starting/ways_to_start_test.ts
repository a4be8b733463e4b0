/** A unique job that clients of every kind start with keys of their own, in two servers at once. */
import { AdaptiveExposureStrategy, AsyncToolServer, createClient, defineJob, MemoryBackend } from "../../../mod.ts";
import { ANONYMOUS } from "../../../src/mcp/peer.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";
import { Raw } from "../../mcp/http/support/raw.ts";
import { Events, request, TASKS } from "../../mcp/support/modern.ts";
import type { Fields } from "../../mcp/support/wire_message.ts";

const charge = defineJob({
  name: "charge",
  input: { type: "object", properties: { order: { type: "string" } }, required: ["order"] } as const,
  unique: true,
});

/** Starts the job with a key. Resolves with the id of its task, or with why it was refused. */
type Start = (order: string, key: string) => Promise<string>;

/** What a call with 2026-07-28 gives, with these capabilities of its client. */
function modern(server: AsyncToolServer, capabilities: Fields, idOf: (result: Fields) => string): Start {
  return async (order, key) => {
    const params = { name: "charge", arguments: { order }, _meta: { "mcp-jobs/idempotencyKey": key } };
    const url = new URL("http://localhost/mcp");
    await using stream = new Events(await server.fetch(request(url, "tools/call", params, capabilities)));
    const { result } = await stream.next(({ result }) => result !== undefined);
    return result?.isError ? result.content[0].text : idOf(result ?? {});
  };
}

/** What a call with 2025-11-25 gives. */
function legacy(raw: Raw): Start {
  return async (order, key) => {
    const params = { name: "charge", arguments: { order }, task: {}, _meta: { "mcp-jobs/idempotencyKey": key } };
    const { result, error } = await raw.ask("tools/call", params);
    return error?.message ?? result.task?.taskId ?? result.content[0].text;
  };
}

Deno.test("a unique job has one task, whoever starts it, and each key finds it, with a plain call, as a task of both revisions, and from code", async () => {
  await using backend = new MemoryBackend();
  const serve = () => {
    const strategy = new AdaptiveExposureStrategy({ answerWithin: 0, inlineWithin: 0 });
    const server = new AsyncToolServer({ name: "charges", version: "1.0.0", backend, strategy, audit: () => {} });
    server.registerAsyncTool(charge);
    return server;
  };
  await using one = serve();
  await using two = serve();
  using client = createClient(backend, { owner: ANONYMOUS.owner });
  const ways: Readonly<Record<string, Start>> = {
    plain: modern(one, {}, ({ structuredContent }) => structuredContent.token),
    "2026-07-28": modern(two, TASKS, ({ taskId }) => taskId),
    "2025-11-25": legacy(await Raw.open(one.fetch)),
    code: async (order, key) => {
      return await client.start(charge, { order }, { key }).then(({ id }) => id, ({ message }) => message);
    },
  };
  const all = (order: string) => Promise.all(Object.entries(ways).map(([way, start]) => start(order, way)));
  const [first = ""] = await all("one");
  const { tasks: [task, ...more] } = await backend.list(ANONYMOUS.owner, { limit: 10 });
  assertEquals([task?.id, more], [first, []]);
  assertEquals(await all("one"), Array(4).fill(first));
  for (const refused of await all("another")) assertMatch(refused, /was used before with another input/);
  assertEquals((await backend.list(ANONYMOUS.owner, { limit: 10 })).tasks.length, 1);
});
