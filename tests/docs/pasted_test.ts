import { basename, join } from "node:path";
import { assertEquals } from "../../tools/std.ts";
import { listPages } from "../../tools/docs.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ROOT = new URL("../../", import.meta.url);
const RECIPES = "docs/recipes/";
const BLOCK = /(?:<!-- snippet: (\S+?)(?:#\S+)? -->\n\n)?^```ts\n([\s\S]*?)^```/gm;

/** The code that the pages of the recipes show, by the name of the file it is saved as. */
async function pastedCode(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const page of (await listPages(ROOT)).filter((path) => path.startsWith(RECIPES))) {
    for (const [, source, code = ""] of (await Deno.readTextFile(new URL(page, ROOT))).matchAll(BLOCK)) {
      const name = basename(source ?? page.replace(".md", ".ts"));
      files.set(name, (files.get(name) ?? "") + code);
    }
  }
  return files;
}

/** Runs deno on files of a folder. Returns the exit code and what it wrote. */
async function deno(cwd: string, ...args: readonly string[]): Promise<readonly [number, string]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  return [code, new TextDecoder().decode(code === 0 ? stdout : stderr)];
}

Deno.test("the code of every recipe works as it is pasted from its page into an empty folder", async () => {
  await using folder = await TempFolder.make();
  const files = await pastedCode();
  for (const [name, code] of files) await Deno.writeTextFile(join(folder.path, name), code);
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const own = { "@mcp-jobs/mcp-jobs": new URL("mod.ts", ROOT).href };
  await Deno.writeTextFile(join(folder.path, "deno.json"), JSON.stringify({ imports: { ...imports, ...own } }));

  assertEquals(await deno(folder.path, "check", "--quiet", "--no-lock", ...files.keys()), [0, ""]);
  assertEquals(await deno(folder.path, "run", "--no-lock", "try.ts"), [0, "{ refunded: true }\n"]);
});
