/** A key function that fails, as the model, the operator and code that is no client hear of it. */
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  BlockingExposureStrategy,
  createClient,
  defineJob,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
  ToolError,
} from "../../mod.ts";
import { InvalidInput } from "../../strategy.ts";
import { ask, TASKS } from "../mcp/support/modern.ts";
import { Reported } from "../support/errors.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";

const INPUT = { type: "object", properties: { secret: { type: "string" } } } as const;

const failing = (): string => {
  throw new Error("no such user: secret");
};
const FAILURES = [
  { key: failing, did: "failed", where: "run a key function", message: "no such user: secret" },
  {
    key: () => 7 as unknown as string,
    did: "returned number instead of a text",
    where: "use what a key function returned",
    message: "returned number",
  },
  {
    key: () => "",
    did: "returned an empty text",
    where: "use what a key function returned",
    message: "returned an empty text",
  },
];

const WITH = { secret: "secret" };

/** Each strategy, with the call that starts its job. */
const STRATEGIES = [
  [new AdaptiveExposureStrategy(), "report", WITH],
  [new BlockingExposureStrategy(), "report", WITH],
  [new OperationResourceStrategy(), "report", WITH],
  [new PollingExposureStrategy(), "report_start", WITH],
  [new SingleToolExposureStrategy(), "report", { action: "start", input: WITH }],
] as const;

for (const [strategy, name, args] of STRATEGIES) {
  Deno.test(`${strategy.constructor.name}: a key function that fails refuses the call; the model learns that nothing was started, and the operator why`, async () => {
    for (const { key, did, where, message } of FAILURES) {
      await using backend = new MemoryBackend();
      const reported = new Reported();
      const { onError } = reported;
      const server = new AsyncToolServer({
        name: "keys",
        version: "1.0.0",
        backend,
        strategy,
        onError,
        audit: () => {},
      });
      server.registerAsyncTool(defineJob({ name: "report", input: INPUT }), { unique: { key } });
      const end = new AbortController();
      const listening = Promise.withResolvers<string>();
      const { resolve: onListen } = listening;
      const running = server.run({ transport: "http", port: 0, onListen, signal: end.signal });
      const url = new URL(await listening.promise);
      const forms: readonly Record<string, unknown>[] = [{}, TASKS];
      for (const capabilities of forms) {
        const { result } = await ask(
          url,
          "tools/call",
          { name, arguments: args },
          capabilities,
        );
        const text = JSON.stringify(result);
        assertEquals(result?.isError, true);
        assertStringIncludes(text, `its key function ${did}, so nothing was started`);
        assert(!text.includes("secret"));
      }
      assertEquals(reported.all.map(({ error: _, ...place }) => place), forms.map(() => ({ where, job: "report" })));
      for (const { error } of reported.all) assertStringIncludes(String(error), message);
      const { tasks } = await backend.operator.tasks();
      assertEquals(tasks, []);
      end.abort();
      await running;
    }
  });
}

Deno.test("code that starts a task with a key function that fails gets a ToolError with its cause", async () => {
  await using backend = new MemoryBackend();
  const job = defineJob({ name: "report", input: { type: "object" }, unique: { key: failing } });
  const { all, onError } = new Reported();
  using client = createClient(backend, { owner: "user:ann", onError });
  const error = await assertRejects(() => client.start(job, {}), ToolError, "nothing was started");
  assertEquals((error as ToolError).cause instanceof Error, true);
  await assertRejects(() => client.start(job, "no object" as never), InvalidInput);
  assertEquals(all.map(({ where }) => where), ["run a key function"]); // A wrong input is no fault of the key function.
});
