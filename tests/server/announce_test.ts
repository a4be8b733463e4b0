/**
 * What the person who starts a server over HTTP is told.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend, type ServerOptions } from "../../mod.ts";
import { writeThrough } from "../../src/log/stderr.ts";
import { serving } from "../../src/server/announce.ts";
import { assertEquals, assertStringIncludes } from "../../tools/std.ts";

/** What a server writes to stderr until it serves on this address. */
async function linesOf(hostname: string | undefined, options: Partial<ServerOptions> = {}): Promise<string[]> {
  const lines: string[] = [];
  const end = writeThrough({ write: (line) => void lines.push(line) });
  try {
    const backend = new MemoryBackend();
    await using server = new AsyncToolServer({ name: "open", version: "1.0.0", backend, audit: () => {}, ...options });
    const { promise: listens, resolve } = Promise.withResolvers<string>();
    const running = server.run({ transport: "http", hostname, port: 0, onListen: resolve });
    await Promise.race([listens, running]);
    await server.close();
    await running;
  } finally {
    end();
  }
  return lines;
}

Deno.test("a server that other machines reach and that authenticates nobody says so on stderr, in one line", async () => {
  const [line = "", ...others] = await linesOf("0.0.0.0");
  assertStringIncludes(line, "mcp-jobs: open listens on 0.0.0.0, port ");
  assertStringIncludes(line, "anyone who reaches this port can start its jobs");
  assertStringIncludes(line, "Pass `authenticate` to AsyncToolServer");
  assertEquals([line.includes("\n"), others], [false, []]);
});

Deno.test("a server that only this machine reaches, or that authenticates, warns of nothing", async () => {
  assertEquals(await linesOf(undefined), []);
  assertEquals(await linesOf("127.0.0.1"), []);
  assertEquals(await linesOf("localhost"), []);
  assertEquals(await linesOf("0.0.0.0", { authenticate: () => ({ principal: "ada" }) }), []);
});

Deno.test("a run without onListen says where MCP is served in a line that can neither block nor fail", async () => {
  const { promise: line, resolve } = Promise.withResolvers<string>();
  const end = writeThrough({ write: resolve });
  try {
    await using server = new AsyncToolServer({
      ...{ name: "open", version: "1.0.0", audit: () => {} },
      backend: new MemoryBackend(),
    });
    const running = server.run({ transport: "http", port: 0 });
    const said = await Promise.race([line, running]);
    assertStringIncludes(said ?? "", "Serving MCP on http://127.0.0.1:");
    await server.close();
    await running;
  } finally {
    end();
  }
});

Deno.test("the line that says where MCP is served names all addresses where the URL does not", () => {
  const url = "http://localhost:8000/mcp";
  assertEquals(serving(url, "localhost"), `Serving MCP on ${url}`);
  assertEquals(serving("http://192.168.1.5:8000/mcp", "192.168.1.5"), "Serving MCP on http://192.168.1.5:8000/mcp");
  assertEquals(serving(url, "0.0.0.0"), `Serving MCP on ${url}, listening on all addresses (0.0.0.0)`);
  assertEquals(serving(url, "::"), `Serving MCP on ${url}, listening on all addresses (::)`);
});
