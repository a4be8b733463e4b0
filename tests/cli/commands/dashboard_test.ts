import { assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { Shop } from "../support/shop.ts";

Deno.test("dashboard serves the page until it is interrupted", async () => {
  await using shop = new Shop({ works: false });
  const ended = new AbortController();
  const served = shop.run("dashboard", {
    signal: ended.signal,
    wrote: async (url) => {
      const { status, body } = await fetch(url);
      await body?.cancel();
      assertEquals(status, 200);
      ended.abort();
    },
  });
  const { code, stderr } = await served;
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Whoever knows this URL");
});
