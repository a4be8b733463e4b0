/**
 * Checks the directions between the rooms, circles of imports, who names a revision of MCP, the size of files and folders, and paths that hold in
 * every folder; docs/design.md tells why. Run by `deno task ok`.
 *
 * @module
 */

/** What a file must never import. Both sides are paths from the root, or specifiers such as `npm:zod@4.6.7`. */
interface Rule {
  readonly from: RegExp;
  /** Files for which the rule does not hold. */
  readonly unless?: RegExp;
  readonly never: RegExp;
  readonly why: string;
}

/** The files that provide, implement or use the operator. All other code of `src/` serves MCP clients. */
const OPERATING =
  /^src\/((backends|cli|contract|dashboard|operator|testing)\/|(backend|schedules\/operate|telemetry\/gauges)\.ts$)/;

const RULES: readonly Rule[] = [
  { from: /^src\/task\.ts$/, never: /./, why: "the task record imports nothing" },
  { from: /^(\w+\.ts$|src\/(?!mcp\/))/, never: /^npm:@modelcontextprotocol\//, why: "only src/mcp imports an MCP SDK" },
  { from: /^src\/exposure\//, never: /^src\/(backends|mcp)\//, why: "an exposure strategy knows the contract alone" },
  { from: /^src\/backends\//, never: /^src\/(exposure|mcp)\//, why: "a backend knows task records alone" },
  { from: /^src\/mcp\//, never: /^src\/backends\//, why: "the protocol knows the contract alone" },
  {
    from: /^src\/operator\//,
    never: /^src\/(backends|exposure|mcp)\//,
    why: "the operator knows the contract and its primitives alone",
  },
  {
    from: /^src\//,
    unless: OPERATING,
    never: /^src\/((cli|dashboard|operator)\/|(contract\/operator|schedules\/operate)\.ts$)/,
    why: "no MCP client may reach the operator",
  },
  {
    from: /^(?!(tools|src\/cli)\/std\.ts$)/,
    never: /^jsr:/,
    why: "only the two std.ts reach @std, so that all runs without JSR",
  },
];

/** What merely importing an entry must never load. */
const LAZY = /^npm:(bullmq|ioredis|pg|jose|refa)\b/;

const FOLDERS = ["src", "tools", "tests", "examples", "bench", "chaos", "docs"];

/** Not a path if the project's folder has a space in its name. */
const URL_AS_PATH = /import\.meta\.url\)\.pathname\b/;

/** A comment begins at the start of a line or after a space; "https://" and "*\/*" do not begin one. */
const COMMENT = /(?<=^|\s)(\/\/.*$|\/\*[^]*?\*\/)/gm;

/** The operator of a backend, as a property: `backend.operator`, `backend["operator"]` or `{ operator }`. */
const OPERATOR = /[.?{,["'`]\s*operator\b/;

const MAX_LINES = 300;

/** How many files of TypeScript a folder may hold: more are several rooms in one. */
const MAX_FILES = 12;

/** Files of src/ that may be longer, each with its reason. */
const LONG: { readonly [path: string]: string } = {};

interface Import {
  readonly to: string;
  /** Loaded as soon as the file is: neither a type nor an `import()`. */
  readonly eager: boolean;
}

/** What each file imports. */
type Graph = ReadonlyMap<string, readonly Import[]>;

/** Says what is wrong with the project in `root`, one line each; an empty list is good. */
export async function findViolations(root: URL, long: { readonly [path: string]: string } = LONG): Promise<string[]> {
  const entries = await entriesIn(root);
  const files = [...entries, ...(await Promise.all(FOLDERS.map((folder) => filesIn(root, folder)))).flat()];
  const graph = await readGraph(root, files);
  const texts = new Map<string, string>();
  for (const file of files) texts.set(file, await Deno.readTextFile(new URL(file, root)));
  return [
    ...badImports(files, graph),
    ...circles(graph),
    ...namedRevisions(texts),
    ...eagerQueues(entries, graph),
    ...badFolders(files),
    ...badLengths(texts, long),
    ...badPaths(texts),
    ...reachedOperators(texts),
  ];
}

function badImports(files: readonly string[], graph: Graph): string[] {
  return files.flatMap((file) =>
    RULES.filter(({ from, unless }) => from.test(file) && !unless?.test(file)).flatMap(({ never, why }) =>
      (graph.get(file) ?? []).filter(({ to }) => never.test(to)).map(({ to }) => `${file} imports ${to}: ${why}`)
    )
  );
}

/** One circle of imports, if there is any; a type is an import, too. */
function circles(graph: Graph): string[] {
  // A file that imports none of the remaining files is in no circle.
  const left = new Map([...graph].map(([file, imports]) => [file, imports.map(({ to }) => to)]));
  for (let before = Infinity; left.size < before;) {
    before = left.size;
    for (const [file, to] of left) if (!to.some((other) => left.has(other))) left.delete(file);
  }
  const walked: string[] = [];
  let [next] = left.keys();
  while (next !== undefined && !walked.includes(next)) {
    walked.push(next);
    next = left.get(next)?.find((other) => left.has(other));
  }
  if (next === undefined) return [];
  const circle = walked.slice(walked.indexOf(next));
  return [`${[...circle, next].join(" imports ")}: a circle; move what both need into a file of its own`];
}

/** Where code, not a comment, names a revision of MCP. */
function namedRevisions(texts: ReadonlyMap<string, string>): string[] {
  const folders = new Set([...texts.keys()].map((file) => /^src\/mcp\/(rev_\w+)\//.exec(file)?.[1] ?? ""));
  folders.delete("");
  const found: string[] = [];
  for (const [file, text] of texts) {
    if (!file.startsWith("src/") || file === "src/mcp/bind.ts") continue;
    const code = text.replace(COMMENT, "");
    for (const folder of folders) {
      const revision = folder.slice("rev_".length).replaceAll("_", "-");
      if (file.startsWith(`src/mcp/${folder}/`) || !(code.includes(folder) || code.includes(revision))) continue;
      found.push(`${file} names ${revision}: only src/mcp/${folder}/ knows that revision, and bind.ts imports it`);
    }
  }
  return found;
}

function badFolders(files: readonly string[]): string[] {
  const folders = Map.groupBy(files, (file) => file.slice(0, Math.max(0, file.lastIndexOf("/"))));
  return [...folders].filter(([, { length }]) => length > MAX_FILES).map(([folder, { length }]) =>
    `${folder}/ has ${length} files: make rooms of it; ${MAX_FILES} is the most`
  );
}

function eagerQueues(entries: readonly string[], graph: Graph): string[] {
  const seen = new Set(entries);
  const found: string[] = [];
  // Iterating over a set includes what is added on the way.
  for (const file of seen) {
    for (const { to, eager } of graph.get(file) ?? []) {
      if (!eager) continue;
      seen.add(to);
      if (LAZY.test(to)) found.push(`${file} imports ${to}: an entry loads no queue library; use import()`);
    }
  }
  return found;
}

function badLengths(texts: ReadonlyMap<string, string>, long: { readonly [path: string]: string }): string[] {
  const found: string[] = [];
  for (const [file, text] of texts) {
    if (!file.startsWith("src/")) continue;
    const lines = text.split("\n").length - 1;
    const excused = file in long;
    if (lines > MAX_LINES && !excused) found.push(`${file} has ${lines} lines: split it; ${MAX_LINES} is the most`);
    if (lines <= MAX_LINES && excused) found.push(`${file} has ${lines} lines: it needs no exception any more`);
  }
  return found;
}

function badPaths(texts: ReadonlyMap<string, string>): string[] {
  const why = "takes the pathname of a file's URL, which has %20 for a space: use fileURLToPath of node:url";
  return [...texts].flatMap(([file, text]) =>
    text.split("\n").flatMap((line, index) => URL_AS_PATH.test(line) ? [`${file}:${index + 1} ${why}`] : [])
  );
}

/** Where code that must not reach the operator takes it from a backend. */
function reachedOperators(texts: ReadonlyMap<string, string>): string[] {
  const answering = [...texts].filter(([file]) => file.startsWith("src/") && !OPERATING.test(file));
  return answering.filter(([, text]) => OPERATOR.test(text.replace(COMMENT, ""))).map(([file]) =>
    `${file} takes the operator of a backend: no MCP client may reach it`
  );
}

/** The entries of the package: the files in the root folder. */
async function entriesIn(root: URL): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(root), ({ name }) => name);
  return names.filter((name) => name.endsWith(".ts")).sort();
}

async function filesIn(root: URL, folder: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      if (isDirectory) files.push(...await filesIn(root, `${folder}/${name}`));
      else if (name.endsWith(".ts")) files.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.sort();
}

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/** Asks Deno's own parser, through one made-up module that imports every file. */
async function readGraph(root: URL, files: readonly string[]): Promise<Graph> {
  const all = files.map((file) => `import ${JSON.stringify(new URL(file, root).href)};`).join("");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `data:application/typescript,${encodeURIComponent(all)}`],
    cwd: root,
  }).output();
  if (code !== 0) throw new Error(`Cannot read the imports, deno info failed: ${new TextDecoder().decode(stderr)}`);
  const { modules }: Info = JSON.parse(new TextDecoder().decode(stdout));
  const name = (specifier: string) =>
    specifier.startsWith(root.href) ? specifier.slice(root.href.length) : specifier.replace(/^(npm|jsr):\//, "$1:");
  return new Map(modules.map(({ specifier, dependencies = [] }) => [
    name(specifier),
    dependencies.map(({ specifier, code, type, isDynamic = false }) => ({
      to: name(code?.specifier ?? type?.specifier ?? specifier),
      eager: code?.specifier !== undefined && !isDynamic,
    })),
  ]));
}

if (import.meta.main) {
  const violations = await findViolations(new URL("../", import.meta.url));
  for (const violation of violations) console.error(violation);
  if (violations.length > 0) Deno.exit(1);
  console.log(
    "Imports keep their directions and run in no circle; files and folders keep their size, and paths hold in every folder.",
  );
}
