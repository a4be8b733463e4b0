/**
 * Plain calls of clients that do not read: the job goes on, nothing piles up, and who reads on hears of the newest.
 *
 * @module
 */
import { assert, assertEquals } from "../../../tools/std.ts";
import { AsyncToolServer, createWorker, defineJob, MemoryBackend, OperationResourceStrategy } from "../../../mod.ts";
import { Raw } from "../http/support/raw.ts";
import { request } from "../support/modern.ts";
import type { Message } from "../support/wire_message.ts";

const STEPS = 5_000;

const busy = defineJob({
  name: "busy",
  input: { type: "object" },
  run: async (_, ctx) => {
    for (let step = 1; step <= STEPS; step++) await ctx.progress(step / STEPS, `step ${step}`);
    return { steps: STEPS };
  },
});

/** The response to a plain call of a client of each revision, as it begins. */
const CALLS: { readonly [revision: string]: (server: AsyncToolServer) => Promise<Response> } = {
  "2025-11-25": async (server) => {
    const raw = await Raw.open(server.fetch);
    return await raw.post("tools/call", { name: "busy", arguments: {}, _meta: { progressToken: "p" } });
  },
  "2026-07-28": async (server) => {
    const asked = request(new URL("http://localhost/mcp"), "tools/call", { name: "busy", arguments: {} }, {});
    const body = await asked.json();
    body.params._meta.progressToken = "p";
    return await server.fetch(
      new Request(asked.url, { method: "POST", headers: asked.headers, body: JSON.stringify(body) }),
    );
  },
};

for (const [revision, call] of Object.entries(CALLS)) {
  Deno.test(`a client of ${revision} that reads its stream late gets the newest progress, and its result`, async () => {
    const backend = new MemoryBackend();
    const strategy = new OperationResourceStrategy();
    await using server = new AsyncToolServer({ name: "busy", version: "1.0.0", backend, strategy });
    server.registerAsyncTool(busy);
    await using _worker = createWorker(backend, [busy]);
    const ended = Promise.withResolvers<void>();
    backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && ended.resolve());
    const response = await call(server);
    await ended.promise;
    const messages = [...(await response.text()).matchAll(/^data: (.+)$/gm)].map(([, data = ""]): Message =>
      JSON.parse(data)
    );
    const last = messages.at(-1);
    assertEquals(last?.result?.structuredContent, { steps: STEPS });
    const steps = messages.flatMap(({ params }) => Number(params?.message?.slice("step ".length)) || []);
    assertEquals(steps, steps.toSorted((a, b) => a - b));
    assertEquals(steps.at(-1), STEPS);
    assert(steps.length < 500, `${steps.length} steps were received`);
  });
}
