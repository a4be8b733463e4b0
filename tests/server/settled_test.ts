import { fileURLToPath } from "node:url";
import { AsyncToolServer, defineJob, DefinitionError, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";
import { assertEquals, assertRejects, assertThrows } from "../../tools/std.ts";

const POST = { method: "POST", headers: { "content-type": "application/json" }, body: "{" };

function newServer(): AsyncToolServer {
  const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
  return new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy });
}

async function status(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.body?.cancel();
  return response.status;
}

/** The Origins in the audit log on stderr of a server for each order of steps. */
async function audited(...orders: readonly string[]): Promise<readonly (readonly unknown[])[]> {
  const server = fileURLToPath(new URL("./settled_server.ts", import.meta.url));
  const args = ["run", "--quiet", "--allow-net", "--allow-env", "--allow-read", "--unstable-kv", server, ...orders];
  const { stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const logs = new TextDecoder().decode(stderr).split("end\n").slice(0, -1);
  return logs.map((log) => {
    const lines = log.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => /Origin "http:\/\/([a-z.]+)"/.exec(JSON.parse(line).reason)?.[1]);
  });
}

Deno.test("a run over HTTP writes the audit log to stderr, whether fetch is called before or after", async () => {
  assertEquals(await audited("run fetch", "fetch run", "fetch"), [["over.http", "through.fetch"], ["over.http"], []]);
});

for (const first of ["run", "fetch"]) {
  // Other systems have only 127.0.0.1 without configuration.
  const ignore = Deno.build.os === "darwin";
  const name = `a run may be called by the name of its address, and fetch by this machine's alone, ${first} first`;
  Deno.test({ name, ignore }, async () => {
    await using server = newServer();
    const ask = () => status(server.fetch(new Request("http://127.0.0.2/mcp", POST)));
    if (first === "fetch") assertEquals(await ask(), 403);
    const { promise: served, resolve } = Promise.withResolvers<string>();
    const running = server.run({ transport: "http", hostname: "127.0.0.2", port: 0, onListen: resolve });
    assertEquals(await status(fetch(await served, POST)), 400);
    assertEquals(await ask(), 403);
    await server.close();
    await running;
  });
}

Deno.test("nothing can be registered after the first request, even before it is answered", async () => {
  await using server = newServer();
  const answer = status(server.fetch(new Request("http://localhost/mcp", POST)));
  const wrong = defineJob({ name: "wrong", input: { type: "object", properties: { n: { type: "nonsense" } } } });
  assertThrows(() => server.registerAsyncTool(wrong), DefinitionError, "already serving");
  assertEquals(await answer, 400);
});

Deno.test("a server that cannot serve rejects its first request and all later ones with the reason", async () => {
  const server = newServer();
  server.registerAsyncTool(
    defineJob({ name: "wrong", input: { type: "object", properties: { n: { type: "nonsense" } } } }),
  );
  const expected = "Cannot use the schema";
  const ask = () => server.fetch(new Request("http://localhost/mcp", POST));
  await assertRejects(ask, DefinitionError, expected);
  await assertRejects(ask, DefinitionError, expected);
  await assertRejects(() => server.run({ transport: "http", port: 0 }), DefinitionError, expected);
});

Deno.test("a server that is closed during its first request answers 503, and leaves nothing open", async () => {
  const server = newServer();
  const answer = status(server.fetch(new Request("http://localhost/mcp", POST)));
  await server.close();
  assertEquals(await answer, 503);
});
