/**
 * `llms.txt`, the index of the documentation for models (llmstxt.org): made of the titles and first sentences of all pages.
 *
 * @module
 */

/** The text of `llms.txt`; `pages` are paths from the root, and `read` reads one. */
export async function indexOf(pages: readonly string[], read: (path: string) => Promise<string>): Promise<string> {
  const entries = await Promise.all(
    pages.toSorted().map(async (path) => ({ path, line: entryOf(path, await read(path)) })),
  );
  const section = (title: string, belongs: (path: string) => boolean) => [
    `## ${title}`,
    "",
    ...entries.filter(({ path }) => belongs(path)).map(({ line }) => line),
    "",
  ];
  const isRecipe = (path: string) => path.startsWith("docs/recipes/");
  const isPage = (path: string) => path.startsWith("docs/") && !isRecipe(path);
  return [
    `# mcp-jobs`,
    "",
    `> ${firstParagraph(await read("README.md"))}`,
    "",
    "Written in TypeScript for Deno, published on JSR as `@mcp-jobs/mcp-jobs`. Begin with README.md, which leads to a first job;",
    "docs/api.md has every export and option; a recipe solves one problem with tested code.",
    "",
    ...section("Documentation", isPage),
    ...section("Recipes", isRecipe),
    ...section("Optional", (path) => !isPage(path) && !isRecipe(path)),
  ].join("\n").trimEnd() + "\n";
}

/** The line of a page: its title and its first sentence. */
function entryOf(path: string, page: string): string {
  const [, title = path] = /^# (.+)$/m.exec(page) ?? [];
  const [sentence = ""] = /^.*?\.(?=\s|$)/.exec(firstParagraph(page)) ?? [];
  return `- [${title}](${path})${sentence && `: ${sentence}`}`;
}

/** The first paragraph below the title, as one line without links and markup. */
function firstParagraph(page: string): string {
  const paragraphs = page.replace(/^# .+$/m, "").replaceAll(/^```[\s\S]*?^```/gm, "").split(/\n\s*\n/);
  const text = paragraphs.map((one) => one.trim()).find((one) => /^[\p{L}_`[]/u.test(one)) ?? "";
  return text.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1").replaceAll(/\s+/g, " ");
}
