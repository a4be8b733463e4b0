import * as none from "../../bench/telemetry/none.ts";
import { assertEquals } from "../../tools/std.ts";

const ROOT = new URL("../../", import.meta.url);
const IMPORT = /^(?:import|export) (?!type )\{([^}]*)\} from "(\.[^"]+)"/gm;

/** The files of a folder and of all folders within it. */
async function filesIn(folder: URL): Promise<readonly URL[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  const files = await Promise.all(
    entries.map(({ name, isDirectory }) =>
      isDirectory ? filesIn(new URL(`${name}/`, folder)) : [new URL(name, folder)]
    ),
  );
  return files.flat().filter(({ pathname }) => pathname.endsWith(".ts"));
}

Deno.test("the process that is measured without telemetry has every function that the rest of the code imports", async () => {
  const replaced = new Set(none.REPLACED.map((file) => new URL(file, ROOT).href));
  const files = (await filesIn(new URL("src/", ROOT))).filter(({ href }) => !replaced.has(href));
  const needed = await Promise.all(files.map(async (file) => {
    const imports = (await Deno.readTextFile(file)).matchAll(IMPORT);
    return [...imports].filter(([, , from = ""]) => replaced.has(new URL(from, file).href))
      .flatMap(([, names = ""]) => names.split(",").map((name) => name.trim()))
      .filter((name) => name !== "" && !name.startsWith("type "));
  }));
  assertEquals([...new Set(needed.flat())].filter((name) => !Object.hasOwn(none, name)), []);
});
