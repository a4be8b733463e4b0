/**
 * Clients of the revisions before 2025-11-25: they make plain calls, and get what their revision knows.
 *
 * @module
 */
import { createWorker, MemoryBackend } from "../../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { Raw } from "../http/support/raw.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";

const KINDS: { readonly [revision: string]: readonly string[] } = {
  "2025-11-25": ["text", "resource_link"],
  "2025-06-18": ["text", "resource_link"],
  "2025-03-26": ["text"],
  "2024-11-05": ["text"],
};

for (const [revision, kinds] of Object.entries(KINDS)) {
  Deno.test(`${revision}: the result of a call has blocks that the revision knows`, async () => {
    await using backend = new MemoryBackend();
    await using server = fixtureServer("operation", backend);
    await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
    const raw = await Raw.open(server.fetch, undefined, {}, revision);
    const { result } = await raw.ask("tools/call", { name: "big", arguments: { size: 1_000_000 } });
    assertEquals(result.content.map(({ type }: { readonly type: string }) => type), kinds);
    assertStringIncludes(result.content[0].text, `Read the resource ${result._meta.resourceUri}`);
    assertEquals(result._meta.resourceUri.startsWith("mcp://results/big/"), true);
    const read = async (uri: string) => (await raw.ask("resources/read", { uri })).result.contents[0];
    let whole = "";
    for (let uri: string | undefined = result._meta.resourceUri; uri !== undefined;) {
      const { text, _meta } = await read(uri);
      whole += text;
      uri = _meta.nextPage;
    }
    assertEquals(JSON.parse(whole).text.length, 1_000_000);
    const small = await raw.ask("tools/call", { name: "big", arguments: { size: 1 } });
    assertEquals(small.result.content, [{ type: "text", text: '{"text":"x"}' }]);
    assertEquals(small.result.structuredContent, { text: "x" });
  });
}
