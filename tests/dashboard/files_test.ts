import { fileURLToPath } from "node:url";
import { moduleOfPage } from "../../tools/page/update.ts";
import { assert } from "../../tools/std.ts";

Deno.test("the module that serves the page has its files as they stand", async () => {
  const path = fileURLToPath(new URL("../../src/dashboard/files.ts", import.meta.url));
  assert(await moduleOfPage() === await Deno.readTextFile(path), "Run `deno task page:update`.");
});
