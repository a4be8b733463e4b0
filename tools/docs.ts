/**
 * Snippets in Markdown come from files that are run or tested. A snippet is between two comments:
 *
 *     <!-- snippet: docs/quickstart.ts -->      or docs/quickstart.ts#server for the region named "server"
 *     <!-- end -->
 *
 * `deno task docs:update` refreshes them, and `llms.txt`; tests/docs/docs_test.ts fails if one is out of date.
 *
 * @module
 */
import { indexOf } from "./llms.ts";

/** The Markdown files that hold snippets and links. */
export const PAGES: readonly string[] = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "docs/*.md",
  "docs/recipes/*.md",
  "examples/approval/README.md",
  "examples/background_command/README.md",
  "examples/python_worker/README.md",
];

const SNIPPET = /<!-- snippet: (\S+?)(?:#(\S+))? -->\n[\s\S]*?<!-- end -->/g;

/** The paths of all pages, from the root. */
export async function listPages(root: URL): Promise<string[]> {
  const pages: string[] = [];
  for (const page of PAGES) {
    if (!page.endsWith("/*.md")) {
      pages.push(page);
      continue;
    }
    const folder = page.slice(0, -"*.md".length);
    for await (const { name } of Deno.readDir(new URL(folder, root))) {
      if (name.endsWith(".md")) pages.push(folder + name);
    }
  }
  return pages;
}

/** The page with each snippet refreshed by `read`, which takes a path from the root. */
export async function refresh(page: string, read: (path: string) => Promise<string>): Promise<string> {
  let fresh = "";
  let at = 0;
  for (const match of page.matchAll(SNIPPET)) {
    const [whole, path = "", region] = match;
    const text = await read(path);
    const snippet = region === undefined ? text.trimEnd() : cutRegion(text, path, region);
    const marker = whole.slice(0, whole.indexOf("\n"));
    fresh += `${page.slice(at, match.index)}${marker}\n\n${fence(path, snippet)}\n\n<!-- end -->`;
    at = match.index + whole.length;
  }
  return fresh + page.slice(at);
}

function cutRegion(text: string, path: string, region: string): string {
  const lines = text.split("\n");
  const start = lines.indexOf(`// #region ${region}`);
  const end = lines.indexOf("// #endregion", start);
  if (start < 0 || end < 0) throw new Error(`Cannot find the region ${region} in ${path}: mark it with "// #region".`);
  return lines.slice(start + 1, end).join("\n").trim();
}

/** What Markdown calls the language of a file, where that is not its extension. */
const LANGUAGES: { readonly [extension: string]: string } = { service: "ini" };

function fence(path: string, snippet: string): string {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  const language = LANGUAGES[extension] ?? extension;
  return `\`\`\`${language}\n${snippet}\n\`\`\``;
}

/** The links of a page that point into the project, as written. */
export function localLinks(page: string): string[] {
  const prose = page.replaceAll(/^```[\s\S]*?^```/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link).filter((link) => !/^[a-z]+:/.test(link));
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  for (const path of await listPages(root)) {
    const page = await Deno.readTextFile(new URL(path, root));
    const fresh = await refresh(page, (file) => Deno.readTextFile(new URL(file, root)));
    if (fresh === page) continue;
    await Deno.writeTextFile(new URL(path, root), fresh);
    console.log(`Updated ${path}`);
  }
  const read = (path: string) => Deno.readTextFile(new URL(path, root));
  await Deno.writeTextFile(new URL("llms.txt", root), await indexOf(await listPages(root), read));
}
