/**
 * Characters in event streams that end a line elsewhere: in JavaScript's and in Java's regular expressions.
 *
 * @module
 */
import { AsyncToolServer, createWorker, MemoryBackend } from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { request } from "../../support/modern.ts";
import { Raw } from "../support/raw.ts";

const TEXT = "one\u0085two\u2028three\u2029four \u00e9\u2013";

/** A server whose job reports progress and returns text with such characters, once it is released. */
class Stage implements AsyncDisposable {
  readonly #backend = new MemoryBackend();
  readonly #gate = Promise.withResolvers<void>();
  readonly server = new AsyncToolServer({ name: "lines", version: "1.0.0", backend: this.#backend });
  readonly #worker;

  constructor() {
    this.server.asyncTool({ name: "lines", input: { type: "object" } }, async (_, ctx) => {
      await ctx.progress(0.5, TEXT);
      await this.#gate.promise;
      return { text: TEXT };
    });
    this.#worker = createWorker(this.#backend, this.server.registry.list().map(({ job }) => job));
  }

  /** The whole text of a stream; the job ends once its progress has come. */
  async textOf({ body }: Response): Promise<string> {
    let text = "";
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.includes("notifications/progress")) this.#gate.resolve();
    }
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.#backend.close();
  }
}

/** A call that asks for progress. */
const CALL = { name: "lines", arguments: {}, _meta: { progressToken: "p" } };

const CALLS = {
  "2025-11-25": async ({ fetch }: AsyncToolServer) => (await Raw.open(fetch)).post("tools/call", CALL),
  "2026-07-28": ({ fetch }: AsyncToolServer) => fetch(request(new URL("http://localhost/mcp"), "tools/call", CALL, {})),
};

for (const [revision, call] of Object.entries(CALLS)) {
  Deno.test(`${revision}: progress and result with line separators arrive, and no event has one unescaped`, async () => {
    await using stage = new Stage();
    const text = await stage.textOf(await call(stage.server));
    assertEquals(/[\u0085\u2028\u2029]/.test(text), false);
    const messages = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""));
    const progress = messages.find(({ method, params }) =>
      method === "notifications/progress" && params.progress >= 0.5
    );
    assertEquals(progress?.params.message, TEXT);
    assertEquals(messages.at(-1).result.structuredContent, { text: TEXT });
  });
}
