import { ProtocolError } from "@modelcontextprotocol/server";
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";
import { pageOf } from "../../src/mcp/list_page.ts";
import { assert, assertEquals, assertThrows } from "../../tools/std.ts";
import { Raw } from "./http/support/raw.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

Deno.test("a list that fits is one page", () => {
  assertEquals(pageOf([1, 2], undefined), { page: [1, 2] });
  assertEquals(pageOf([], "0"), { page: [] });
});

Deno.test("the pages of a long list are full and together are the list, and an item larger than a page has its own", () => {
  const items = ["x".repeat(1_000_000), ...Array.from({ length: 2_000 }, (_, n) => `${n} ${"世".repeat(300)}`)];
  const all: string[] = [];
  const sizes: number[] = [];
  for (let cursor: string | undefined = "0"; cursor !== undefined;) {
    const { page, nextCursor }: ReturnType<typeof pageOf<string>> = pageOf(items, cursor);
    all.push(...page);
    sizes.push(bytes(page));
    cursor = nextCursor;
  }
  assertEquals([all, sizes[0]], [items, 1_000_004]);
  assert(sizes.slice(1).every((size) => size < 785_000), `${sizes}`);
  assert(sizes.slice(1, -1).every((size) => size > 775_000), `${sizes}`);
});

Deno.test("a cursor without a page is -32602", () => {
  for (const cursor of ["1", "-1", "x", "", "01", "0.5"]) {
    const { code } = assertThrows(
      () => pageOf([1], cursor),
      ProtocolError,
      `There is no page ${JSON.stringify(cursor)}`,
    );
    assertEquals(code, -32602);
  }
});

Deno.test("a server of 500 jobs lists its tools and its results in pages, in messages that clients accept", async () => {
  const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
  await using server = new AsyncToolServer({ name: "many", version: "1.0.0", backend, strategy });
  const description = "It does this and that. ".repeat(100);
  for (let n = 0; n < 500; n++) server.asyncTool({ name: `job_${n}`, description, input: { type: "object" } }, () => n);
  const raw = await Raw.open(server.fetch);
  const names: string[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const answer = await raw.ask("tools/list", { ...(cursor && { cursor }) });
    assert(bytes(answer) < 900_000, `${bytes(answer)} bytes`);
    names.push(...answer.result.tools.map(({ name }: { readonly name: string }) => name));
    cursor = answer.result.nextCursor;
  }
  assertEquals([names.length, new Set(names).size, names[0]], [2_000, 2_000, "job_0_start"]);
});
