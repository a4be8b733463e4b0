/**
 * The server of the table of clients; `server.ts <log> <ms>` serves it over stdio. Its job works for so many ms, and writes
 * a line to the log each time that it begins. It is the default server, but for its times: if a call is answered within a
 * second, a job of 3 s is to it what one of 75 s is with the default. The tool `wrong` returns data that do not fit its
 * output schema, which allows a result or a handle as that of the job does.
 *
 * @module
 */
import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  content,
  type ExposureStrategy,
  image,
  MemoryBackend,
} from "../../../mod.ts";
import type { CallAnswer } from "../../../strategy.ts";

/** As the default, but every call returns the same wrong data. */
const lying: ExposureStrategy = {
  expose(registered, tasks) {
    const surface = new AdaptiveExposureStrategy().expose(registered, tasks);
    const structuredContent = { worked: "much" };
    const content = [{ type: "text", text: JSON.stringify(structuredContent) }] as const;
    const call = (): Promise<CallAnswer> => Promise.resolve({ kind: "result", result: { content, structuredContent } });
    return { ...surface, tools: surface.tools.map((tool) => ({ ...tool, call })), shared: undefined };
  },
};

/** Makes it. */
export function tableServer(log: string, answerWithin: number): AsyncToolServer {
  const server = new AsyncToolServer({
    name: "clients",
    version: "1.0.0",
    backend: new MemoryBackend(),
    audit: () => {},
    strategy: new AdaptiveExposureStrategy({ answerWithin, inlineWithin: 300 }),
  });
  server.asyncTool({
    name: "work",
    description: "Works for so many ms",
    input: z.object({ ms: z.number() }),
    output: z.object({ worked: z.number() }),
  }, async ({ ms }, { progress, signal }) => {
    await Deno.writeTextFile(log, `${ms}\n`, { append: true });
    for (let part = 1; part <= 4; part++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms / 4);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
      signal.throwIfAborted();
      await progress(part / 4);
    }
    return { worked: ms };
  });

  server.asyncTool({
    name: "draw",
    description: "Returns a picture of so many bytes",
    input: z.object({ bytes: z.number() }),
  }, ({ bytes }) => content([image(new Uint8Array(bytes), "image/png")]));

  server.asyncTool({
    name: "write",
    description: "Returns a text of so many characters",
    input: z.object({ length: z.number() }),
  }, ({ length }) => "x".repeat(length));

  server.asyncTool({
    name: "wrong",
    description: "Returns data that do not fit its output schema",
    input: z.object({}),
    output: z.object({ worked: z.number() }),
    strategy: lying,
  }, () => ({ worked: 0 }));

  return server;
}

if (import.meta.main) {
  const [log = "", answerWithin] = Deno.args;
  await tableServer(log, Number(answerWithin)).run({ transport: "stdio", worker: {} });
}
