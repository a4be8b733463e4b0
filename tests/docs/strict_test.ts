/**
 * The code of the docs in a project with stricter compiler options than this one. What our own files would need for these
 * does not matter: Deno shows a user no errors of packages.
 *
 * @module
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import { assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ROOT = new URL("../../", import.meta.url);

const STRICT = {
  exactOptionalPropertyTypes: true,
  noImplicitOverride: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
};

/** What a user copies: all code files of the docs, and the test of a backend that extending.md quotes. */
async function copiedFiles(): Promise<string[]> {
  const files = ["docs/quickstart.ts", "tests/backends/kv/kv_test.ts"];
  for (const folder of ["docs/recipes/", "docs/snippets/"]) {
    for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
      if (name.endsWith(".ts")) files.push(`${folder}${name}`);
    }
  }
  return files.map((file) => new URL(file, ROOT).href);
}

/** The errors of these files, each from its code to the place. */
function errorsIn(files: readonly string[], output: string): string[] {
  const errors = output.split(/\n(?=TS\d+ \[ERROR\])/).filter((text) => /^TS\d+/.test(text));
  return errors.filter((text) => files.some((file) => text.includes(`at ${file}:`)));
}

Deno.test("the code of the docs compiles in a project with strict options", async () => {
  await using folder = await TempFolder.make();
  const { imports, exports, name, unstable } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const own = Object.entries<string>(exports).map(([key, path]) => [name + key.slice(1), new URL(path, ROOT).href]);
  const config = `${folder.path}/deno.json`;
  const project = { imports: { ...imports, ...Object.fromEntries(own) }, unstable, compilerOptions: STRICT };
  await Deno.writeTextFile(config, JSON.stringify(project));
  await Deno.copyFile(new URL("deno.lock", ROOT), `${folder.path}/deno.lock`); // Of each package the version that is tested.
  // It fails the check, so that a check that finds nothing is noticed.
  const wrong = `${folder.path}/wrong.ts`;
  await Deno.writeTextFile(wrong, "export const page: { cursor?: string } = { cursor: undefined };\n");
  const files = [...await copiedFiles(), pathToFileURL(wrong).href];
  const args = ["check", "--quiet", `--config=${config}`, ...files.map((file) => fileURLToPath(file))];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const [found = "", ...others] = errorsIn(files, output).sort((a) => a.includes("wrong.ts") ? -1 : 1);
  assertStringIncludes(found, "wrong.ts:1");
  assertEquals(others, []);
});
