import { internalOf, MissingInternal } from "../../src/libraries/internals.ts";
import { assertEquals, assertMatch, assertThrows } from "../../tools/std.ts";

const isMap = (value: unknown): value is Map<string, string> => value instanceof Map;

Deno.test("an internal that exists is returned unchanged", () => {
  const streams = new Map([["a", "b"]]);
  assertEquals(internalOf("ioredis", "Redis", { streams }, "streams", isMap) === streams, true);
});

Deno.test("an internal that is missing, or is something else, is an error that names library, version and field", () => {
  for (const owner of [{}, { streams: [] }]) {
    const error = assertThrows(() => internalOf("ioredis", "Redis", owner, "streams", isMap), MissingInternal);
    assertEquals(
      error.message.replace(/\d+\.\d+\.\d+/, "1.2.3"),
      "Cannot use ioredis 1.2.3: it has no Redis.streams of the expected kind, which mcp-jobs needs. " +
        "Install a version of the range that the deno.json of mcp-jobs names.",
    );
  }
});

Deno.test("a library whose files cannot be found is named without its version", () => {
  const error = assertThrows(() => internalOf("no-such-library", "Redis", {}, "streams", isMap), MissingInternal);
  assertEquals(error.message.startsWith("Cannot use no-such-library (version unknown): it has no Redis.streams"), true);
});

Deno.test("a library whose internals are used has a version range of patches only", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const ofMcp = ["server", "client", "sdk", "ext-tasks"].map((name) => `@modelcontextprotocol/${name}`);
  for (const name of [...ofMcp, "bullmq", "ioredis"]) {
    assertMatch(imports[name], /@~\d+\.\d+\.\d+$/);
  }
});
