/**
 * Which files of tests share a process, and how. To load the package and the SDKs costs each process more than most tests.
 *
 * The files of a folder run one after another in one process, as `deno test` would run them, but for those that change
 * what all of a process share. This is decided by what a file and its helpers say, so no list can be out of date.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Why a file of tests needs a process of its own, as it says itself or a helper that it imports. */
const APART = /\bDeno\.(env\.(set|delete)|chdir|umask|addSignalListener|exit)\b|\.setGlobal(Tracer|Meter)Provider\b/;

/** Files of one folder that may share a process, if there are two of them; and each other file alone, as the `alone` do. */
export async function groupsOf(
  files: readonly string[],
  alone: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const apart = new Map(
    await Promise.all(files.map(async (file) => [file, alone.includes(file) || await isApart(file)] as const)),
  );
  const groups = Map.groupBy(files, (file) => apart.get(file) ? file : dirname(file));
  return [...groups.values()];
}

async function isApart(file: string): Promise<boolean> {
  return (await withHelpers(file)).some((text) => APART.test(text));
}

/** The text of a file and of all that it imports but the package. */
async function withHelpers(file: string): Promise<readonly string[]> {
  const found = [file];
  const texts: string[] = [];
  // An array hands out what is added to it while it is walked.
  for (const path of found) {
    // An import that only stands in a string may lead nowhere.
    const text = await Deno.readTextFile(path).catch(() => "");
    texts.push(text);
    const imported = [...text.matchAll(/\bfrom "(\.[^"]+)"/g)].map(([, to = ""]) => join(dirname(path), to));
    found.push(...imported.filter((to) => dirname(to) !== "." && !to.startsWith("src/") && !found.includes(to)));
  }
  return texts;
}

/** Between the file of a test and its name, in the report of a group. */
const SEPARATOR = ": ";

/**
 * The one module that a group of files is to the process that they share. The report tells where a test was registered,
 * which may be a helper's file, so here the name of each test begins with its file.
 */
export function entryOf(files: readonly string[]): string {
  return `${NAME_FILES}
for (const [name, url] of ${JSON.stringify(files.map((file) => [file, pathToFileURL(resolve(file)).href]))}) {
  file = name;
  await import(url);
}
`;
}

const NAME_FILES = `let file;
const { test } = Deno;
const name = (own) => file + ${JSON.stringify(SEPARATOR)} + own;
Deno.test = Object.assign((first, ...rest) => {
  if (typeof first === "string") return test(name(first), ...rest);
  if (typeof first === "function") return test(name(first.name), first);
  return test({ ...first, name: name(first.name ?? rest[0]?.name) }, ...rest);
}, test);`;

/** The file of a test of a group, and its own name. */
export function fileOf(name: string): readonly [file: string, name: string] {
  const end = name.indexOf(SEPARATOR);
  return [name.slice(0, end), name.slice(end + SEPARATOR.length)];
}
