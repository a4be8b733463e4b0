/**
 * Writes the files of the live page into one module, because a package on JSR cannot import texts: `deno task page:update`.
 *
 * @module
 */

const FOLDER = new URL("../../src/dashboard/page/", import.meta.url);
const MODULE = new URL("../../src/dashboard/files.ts", import.meta.url);

const TYPES: { readonly [ending: string]: string } = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  svg: "image/svg+xml",
};

/** The module, as the files of the page stand now. */
export async function moduleOfPage(): Promise<string> {
  const names = (await Array.fromAsync(Deno.readDir(FOLDER), ({ name }) => name)).sort();
  const entries = await Promise.all(names.map(async (name) => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) throw new Error(`Cannot serve ${name}: the type of such files is unknown.`);
    const path = name === "index.html" ? "/" : `/${name}`;
    const text = await Deno.readTextFile(new URL(name, FOLDER));
    return `  [${JSON.stringify(path)}, { type: ${JSON.stringify(type)}, text: ${JSON.stringify(text)} }],\n`;
  }));
  return `${HEAD}${entries.join("")}]);\n`;
}

const HEAD = `/**
 * The files in page/, as \`deno task page:update\` has written them: do not change them here.
 *
 * @module
 */

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

// deno-fmt-ignore
/** The files by the paths under which they are served. */
export const FILES: ReadonlyMap<string, PageFile> = new Map([
`;

if (import.meta.main) await Deno.writeTextFile(MODULE, await moduleOfPage());
