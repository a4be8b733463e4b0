import { fileURLToPath } from "node:url";
import { moduleOfPage } from "../../tools/page/update.ts";
import { FILES } from "../../src/dashboard/files.ts";
import { assert, assertEquals } from "../../tools/std.ts";

Deno.test("the page preloads all modules that its script needs", () => {
  const html = FILES.get("/")?.text ?? "";
  const modules = [...FILES.keys()].filter((path) => path.endsWith(".js") && path !== "/app.js");
  assertEquals([...html.matchAll(/modulepreload" href="([^"]+)"/g)].map(([, path]) => path), modules);
});

Deno.test("the module that serves the page has its files as they are on disk", async () => {
  const path = fileURLToPath(new URL("../../src/dashboard/files.ts", import.meta.url));
  assert(await moduleOfPage() === await Deno.readTextFile(path), "Run `deno task page:update`.");
});
