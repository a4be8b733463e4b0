/** Log messages on the wire; `tests/interop/logs_test.ts` has them as the official client gets them. */
import { z } from "zod";
import { AdaptiveExposureStrategy, AsyncToolServer, createWorker, defineJob, MemoryBackend } from "../../../mod.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";
import { Events, type Message, Raw } from "../http/support/raw.ts";
import { Pipe } from "../support/pipe.ts";
import { runInPlace } from "../support/program.ts";

/** A server whose job logs a line with each level that it is given; at "wait" it waits to be released. */
function talkingServer(answerWithin: number) {
  let go = Promise.withResolvers<void>();
  const backend = new MemoryBackend();
  const server = new AsyncToolServer({
    name: "talking",
    version: "1.0.0",
    backend,
    strategy: new AdaptiveExposureStrategy({ answerWithin }),
    audit: () => {},
  });
  const talk = defineJob({
    name: "talk",
    input: z.object({ levels: z.array(z.string()) }),
    run: async ({ levels }, ctx) => {
      for (const [index, level] of levels.entries()) {
        if (level === "wait") await go.promise;
        else void ctx.log(level as "info", `line ${index + 1}\nof ${levels.length}`);
      }
    },
  });
  server.registerAsyncTool(talk);
  const release = () => {
    go.resolve();
    go = Promise.withResolvers();
  };
  return { server, release, backend, talk };
}

const logged = (messages: readonly Message[]) =>
  messages.filter(({ method }) => method === "notifications/message").map(({ params }) =>
    `${params.level} ${params.data}`
  );

Deno.test("a client gets no log messages before it sets a level, then those of its level and above, each once", async () => {
  const { server, release } = talkingServer(1);
  await using pipe = await Pipe.open(runInPlace(server));
  const said = () => logged(pipe.messages);
  assertEquals((await pipe.error("logging/setLevel", { level: "warn" })).code, -32602);
  await pipe.call("talk", { levels: ["info"] });
  assertEquals(said(), []);

  assertEquals(await pipe.result("logging/setLevel", { level: "notice" }), {});
  const { structuredContent } = await pipe.call("talk", { levels: ["info", "notice", "wait", "error"] });
  const token = String(structuredContent.token);
  const first = await pipe.next(({ method }) => method === "notifications/message");
  assertEquals(first.params?.data, "line 2\nof 4");
  release();
  await pipe.next(({ params }) => params?.level === "error");
  assertEquals(said(), ["notice line 2\nof 4", "error line 4\nof 4"]);
  await pipe.call("task_status", { token });

  await pipe.result("logging/setLevel", { level: "debug" });
  await pipe.call("talk", { levels: ["debug"] });
  await pipe.next(({ params }) => params?.level === "debug");
  assertEquals(said().slice(2), ["debug line 1\nof 1"]);
});

Deno.test("over HTTP the log messages of a call come on its own stream, before its answer, and to its session alone", async () => {
  const { server, backend, talk } = talkingServer(60_000);
  await using _server = server;
  await using _worker = createWorker(backend, [talk]);
  const [mine, other] = [await Raw.open(server.fetch), await Raw.open(server.fetch)];
  await mine.ask("logging/setLevel", { level: "info" });
  const messages = async (raw: Raw) => {
    await using events = new Events(await raw.post("tools/call", { name: "talk", arguments: { levels: ["info"] } }));
    const found: Message[] = [];
    while (found.at(-1)?.id === undefined) found.push(await events.message());
    return found.map(({ method, params }) => method ? params : "answer");
  };
  assertEquals(await messages(mine), [{ level: "info", logger: "talk", data: "line 1\nof 1" }, "answer"]);
  assertEquals(await messages(other), ["answer"]);
});

Deno.test("the log of a task is a resource with one line for each of its lines, while it runs, for its owner alone", async () => {
  const { server, release } = talkingServer(1);
  await using pipe = await Pipe.open(runInPlace(server));
  const { resourceTemplates } = await pipe.result("resources/templates/list");
  assertEquals(resourceTemplates[1], {
    name: "talk logs",
    description: "The last lines that a talk task has logged, while it runs and after its end",
    uriTemplate: "mcp://results/talk/{task_id}/log",
    mimeType: "text/plain",
  });
  await pipe.result("logging/setLevel", { level: "error" });
  const { structuredContent } = await pipe.call("talk", { levels: ["info", "error", "wait"] });
  const uri = `mcp://results/talk/${structuredContent.token}/log`;
  await pipe.next(({ params }) => params?.level === "error");
  const { contents: [content] } = await pipe.result("resources/read", { uri });
  assertEquals([content.uri, content.mimeType], [uri, "text/plain"]);
  assertMatch(content.text, /^\S{24} info line 1\\nof 3\n\S{24} error line 2\\nof 3\n$/);
  const unknown = "mcp://results/talk/01a20500-0000-7000-8000-000000000000/log";
  for (const bad of [`${uri}?page=2`, unknown, uri.replace("/talk/", "/other/"), `${uri}s`]) {
    assertEquals((await pipe.error("resources/read", { uri: bad })).code, -32602);
  }
  release();
});
