// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { MAX_CRASHES, MAX_HAND_BACKS } from "../../src/backends/shared/record.ts";
import { STAY_MS } from "../../src/mcp/stdio/first_call.ts";
import { wireTask } from "../../src/mcp/rev_2025_11_25/wire.ts";
import { wireTask as extensionTask } from "../../src/mcp/rev_2026_07_28/wire.ts";
import { canMove, type TaskInfo, TaskStatus } from "../../src/task.ts";
import { listPages, localLinks, refresh } from "../../tools/docs.ts";
import { indexOf } from "../../tools/llms.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ROOT = new URL("../../", import.meta.url);
const readFile = (path: string) => Deno.readTextFile(new URL(path, ROOT));

for (const path of await listPages(ROOT)) {
  Deno.test(`${path} shows its snippets as they are in the tested files`, async () => {
    const page = await readFile(path);
    assertEquals(page, await refresh(page, readFile), `${path} has drifted: run \`deno task docs:update\`.`);
  });

  Deno.test(`${path} links only to existing files and headings`, async () => {
    for (const link of localLinks(await readFile(path))) {
      const target = new URL(link, new URL(path, ROOT));
      const text = await Deno.readTextFile(new URL(target.pathname, ROOT)).catch((error) => {
        if (!(error instanceof Deno.errors.IsADirectory)) throw new Error(`${path} links to ${link}`, { cause: error });
        return "";
      });
      const anchor = target.hash.slice(1);
      assert(anchor === "" || anchors(text).includes(anchor), `${path} links to ${link}, which has no such heading.`);
    }
  });
}

Deno.test("llms.txt lists every page with its title and its first sentence", async () => {
  assertEquals(
    await readFile("llms.txt"),
    await indexOf(await listPages(ROOT), readFile),
    "Run `deno task docs:update`.",
  );
  const pages = { "README.md": "# Jobs\n\nThey run.", "docs/a.md": "# A\n\nWhat [it](b.md) is: much. More.\n" };
  const text = await indexOf(["docs/a.md"], (path) => Promise.resolve(pages[path as keyof typeof pages]));
  assertStringIncludes(text, "\n> They run.\n");
  assertStringIncludes(text, "\n- [A](docs/a.md): What it is: much.\n");
});

Deno.test("a page of the published package links only to what is published with it", async () => {
  const args = ["publish", "--dry-run", "--allow-dirty", "--no-check"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: pathOf("."),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert(success, said);
  const published = new Set([...said.matchAll(/^ +(file:\S+) \(/gm)].map(([, url]) => url));
  const dead: string[] = [];
  for (const path of await listPages(ROOT)) {
    if (!published.has(new URL(path, ROOT).href)) continue;
    for (const link of localLinks(await readFile(path))) {
      const target = new URL(link, new URL(path, ROOT));
      target.hash = "";
      if (!published.has(target.href)) dead.push(`${path}: ${link}`);
    }
  }
  assert(published.has(new URL("README.md", ROOT).href), said);
  assertEquals(dead, [], 'Add it to "publish" in deno.json, or name it without a link.');
});

function anchors(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("a snippet is refreshed from its file, and the text around it stays", async () => {
  const page = "a\n\n<!-- snippet: x.ts -->\n\n```ts\nold\n```\n\n<!-- end -->\n\nb\n";
  assertEquals(
    await refresh(page, (path) => Promise.resolve(`// ${path}\n`)),
    "a\n\n<!-- snippet: x.ts -->\n\n```ts\n// x.ts\n```\n\n<!-- end -->\n\nb\n",
  );
});

Deno.test("a snippet may be one region of a file", async () => {
  const page = "<!-- snippet: x.ts#b -->\n<!-- end -->";
  const file = "// #region a\n1;\n// #endregion\n\n// #region b\n2;\n// #endregion\n";
  assertStringIncludes(await refresh(page, () => Promise.resolve(file)), "\n```ts\n2;\n```\n");
  await assertRejects(() => refresh(page, () => Promise.resolve("2;\n")), Error, "Cannot find the region b in x.ts");
});

Deno.test("the life cycle diagram shows exactly the allowed moves", async () => {
  const states = Object.values(TaskStatus);
  const allowed = states.flatMap((from) => states.filter((to) => canMove(from, to)).map((to) => `${from} --> ${to}`));
  const drawn = (await readFile("docs/lifecycle.md")).matchAll(/^ +([A-Z_]+ --> [A-Z_]+):/gm);
  assertEquals([...drawn].map(([, move]) => move).sort(), allowed.sort());
});

Deno.test("the life cycle page names the wire status of each state correctly", async () => {
  const page = await readFile("docs/lifecycle.md");
  const base = { id: "", job: "", owner: "", revision: 1, attempt: 1, createdAt: 0, updatedAt: 0, resultTtl: 1 };
  for (const status of Object.values(TaskStatus)) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${status}\` `)) ?? "";
    const [older = "", newer = ""] = row.split("|").slice(-3, -1);
    const said = (cell: string) => [...cell.matchAll(/`(.*?)`/g)].map(([, wire]) => wire);
    const tasks = (status === "FAILED" ? ["fault", "tool_error"] : [undefined])
      .map((failure) => ({ ...base, status, failure, finishedAt: 0 }) as TaskInfo);
    assertEquals(said(older), [...new Set(tasks.map((task) => wireTask(task).status))], `${status} in 2025-11-25`);
    assertEquals(said(newer), tasks.map((task) => extensionTask(task).status), `${status} in 2026-07-28`);
  }
});

Deno.test("the life cycle page says how many deaths and hand-backs a task survives", async () => {
  const page = await readFile("docs/lifecycle.md");
  const nth = ["", "first", "second", "third", "fourth", "fifth", "sixth", "seventh"];
  const failsAt = (what: string) => {
    const row = page.split("\n").find((line) => line.startsWith(`| ${what} `)) ?? "";
    return nth.indexOf(/`FAILED` the (\w+) time/.exec(row)?.[1] ?? "");
  };
  assertEquals(failsAt("kills its worker"), MAX_CRASHES);
  assertEquals(failsAt("is still running when the worker's `grace` is over"), MAX_HAND_BACKS + 1);
  assertStringIncludes(page.replaceAll("\n", " "), `or has stayed for ${STAY_MS / 1_000} s.`);
});

Deno.test("docs/operations.md names only places of errors that the code reports", async () => {
  const [, table = ""] = (await readFile("docs/operations.md")).split("| `where` ");
  const rows = table.split("\n\n")[0]?.split("\n").map((row) => row.split(" | ")[0] ?? "") ?? [];
  const places = rows.flatMap((cell) => [...cell.matchAll(/`(.+?)`/g)].map(([, place = ""]) => place));
  assert(places.includes("run a job"));
  const files = (await readdir(new URL("src/", ROOT), { recursive: true })).filter((path) => path.endsWith(".ts"));
  const code = await Promise.all(files.map((path) => readFile(`src/${path}`)));
  const named = /(?:where: |new Recurring\(\s*|^export const [A-Z_]+ = )"(.+?)"/gm;
  const reported = new Set(code.flatMap((text) => [...text.matchAll(named)].map(([, place]) => place)));
  assertEquals(places.filter((place) => !reported.has(place)), []);
});

Deno.test("docs/api.md names every export in the section of the first entry that has it", async () => {
  const { name: module, exports }: Config = JSON.parse(await readFile("deno.json"));
  const page = await readFile("docs/api.md");
  const args = ["doc", "--json", ...Object.values(exports).map(pathOf)];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "null" }).output();
  const { nodes }: Documentation = JSON.parse(new TextDecoder().decode(stdout));
  const known = new Set<string>();
  for (const [entry, file] of Object.entries(exports)) {
    const heading = `## \`${module}${entry.slice(1)}\``;
    const [, section = ""] = page.split(`\n${heading}\n`);
    const [text = ""] = section.split("\n## ");
    const names = nodes[new URL(file, ROOT).href]?.symbols.map(({ name }) => name) ?? [];
    assert(names.length > 0);
    const missing = names.filter((name) => !known.has(name) && !new RegExp(`\\b${name}\\b`).test(text));
    assertEquals(missing, [], `docs/api.md, "${heading}", does not name these exports of ${file}.`);
    for (const name of names) known.add(name);
  }
});

/** The part of `deno.json` that is read here. */
interface Config {
  readonly name: string;
  readonly exports: { readonly [entry: string]: string };
}

/** The part of the output of `deno doc --json` that is read here. */
interface Documentation {
  readonly nodes: { readonly [file: string]: { readonly symbols: readonly { readonly name: string }[] } };
}

Deno.test("docs/design.md names the folders of src/, each in its place, and no others", async () => {
  const [, rooms = ""] = /^## Rooms$(.*?)^## /ms.exec(await readFile("docs/design.md")) ?? [];
  const named: string[] = [];
  const place: string[] = [];
  for (const [, indent = "", name = ""] of rooms.matchAll(/^((?: {2})*)(\w+)\/(?= |$)/gm)) {
    place.splice(indent.length / 2, Infinity, name);
    named.push(place.join("/"));
  }
  const inSrc = named.filter((path) => path.startsWith("src/"));
  assertEquals(inSrc.sort(), (await foldersIn("src")).sort(), 'Say under "Rooms" what each folder is for.');
});

/** The paths of all folders below a folder. */
async function foldersIn(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) paths.push(`${folder}/${name}`, ...await foldersIn(`${folder}/${name}`));
  }
  return paths;
}

Deno.test("the README has at most 300 lines", async () => {
  const lines = (await readFile("README.md")).trimEnd().split("\n").length;
  assert(lines <= 300, `It has ${lines}: move what a first reader does not need to docs/.`);
});

Deno.test("the README and the client configurations start the quickstart with the same command", async () => {
  const { command, args } = await readConfig("claude_code", "mcpServers");
  const vscode = await readConfig("vscode", "servers");
  assertEquals([vscode.command, vscode.args], [command, args]);
  assertStringIncludes(await readFile("README.md"), `\n${[command, ...args].join(" ")}\n`);
});

Deno.test("the quickstart serves its job with the permissions of the client configurations", async () => {
  const { args } = await readConfig("claude_code", "mcpServers");
  const [run = "", ...flags] = args.slice(0, -1);
  const project = ["--no-prompt", `--config=${pathOf("deno.json")}`];
  await using cwd = await TempFolder.make();
  const client = new Client({ name: "docs-test", version: "1.0.0" });
  const transport = new StdioClientTransport({
    command: Deno.execPath(),
    args: [run, ...project, ...flags, pathOf("docs/quickstart.ts")],
    cwd: cwd.path,
  });
  const gone = Promise.withResolvers<void>();
  client.onclose = gone.resolve;
  try {
    await client.connect(transport);
    const { structuredContent } = await client.callTool({ name: "count_primes", arguments: { below: 100 } });
    assertEquals(structuredContent, { below: 100, count: 25 });
  } finally {
    // Closing the client first would leave its 2 s timer behind.
    if (transport.pid !== null) {
      Deno.kill(transport.pid, "SIGTERM");
      await gone.promise;
    }
    await client.close();
  }
});

const pathOf = (path: string) => fileURLToPath(new URL(path, ROOT));

async function readConfig(client: string, key: string): Promise<{ command: string; args: string[] }> {
  return JSON.parse(await readFile(`docs/snippets/${client}.mcp.json`))[key].quickstart;
}
