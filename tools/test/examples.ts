/**
 * The examples in documentation comments as the tests of one module. `deno test --doc` runs the same ones, but loads the
 * package anew for each of them, which takes it 25 times as long.
 *
 * @module
 */

/** A block of TypeScript in a comment, or on a page, unless it is marked "ignore". */
const EXAMPLE = /^(?<indent> *(?:\* )?)```(?:ts|js|typescript|javascript)\n(?<code>(?: *\*?.*\n)*?)\k<indent>```$/gm;

/** Of itself, `console.assert` only prints, so an example that is wrong would pass. */
const STRICT = `console.assert = (holds, text = "An assertion of the example is wrong.") => {
  if (!holds) throw new Error(text);
};`;

/** A module that holds a test for each example in these files and folders, named by where it stands. */
export async function entryOfExamples(paths: readonly string[]): Promise<string> {
  const files = (await Promise.all(paths.map(documentedIn))).flat();
  const tests = await Promise.all(files.map(async (file) => testsOf(file, await Deno.readTextFile(file))));
  return [STRICT, ...tests.flat()].join("\n");
}

async function documentedIn(path: string): Promise<readonly string[]> {
  if ((await Deno.stat(path)).isFile) return /\.(ts|md)$/.test(path) ? [path] : [];
  const entries = await Array.fromAsync(Deno.readDir(path));
  return (await Promise.all(entries.map(({ name }) => documentedIn(`${path}/${name}`)))).flat().sort();
}

/** An example is imported as a module of its own: it may export, and its names are its own. */
function testsOf(file: string, text: string): readonly string[] {
  return [...text.matchAll(EXAMPLE)].map(({ groups: { code = "" } = {}, index }) => {
    const line = text.slice(0, index).split("\n").length;
    const url = `data:application/typescript,${encodeURIComponent(code.replaceAll(/^ *\* ?/gm, ""))}`;
    return `Deno.test(${JSON.stringify(`${file}:${line}`)}, () => import(${JSON.stringify(url)}));`;
  });
}
