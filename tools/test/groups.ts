/**
 * Which files of tests share a process. To load the package and the SDKs costs each process more than most tests do.
 *
 * The files of a folder run one after another in one process, as `deno test` would run them, but for those that start
 * processes, change what all of a process share, or have their tests registered by a helper, for then the report names
 * the helper's file. This is decided by what a file and its helpers say, so no list can be out of date.
 *
 * @module
 */
import { dirname, join } from "node:path";

/** Why a file of tests, or a helper that it imports, needs a process of its own. */
const APART: readonly RegExp[] = [
  /\bDeno\.Command\b|\bStdioClientTransport\b/,
  /\bDeno\.(env\.(set|delete)|chdir|umask|addSignalListener|exit)\b/,
  /\bexerciseBackend\b/,
];

const REGISTERS_TESTS = /\bDeno\.test\b/;

/** Files of one folder that may share a process, if there are two of them; and each other file alone. */
export async function groupsOf(files: readonly string[]): Promise<readonly (readonly string[])[]> {
  const apart = new Map(await Promise.all(files.map(async (file) => [file, await isApart(file)] as const)));
  const groups = Map.groupBy(files, (file) => apart.get(file) ? file : dirname(file));
  return [...groups.values()];
}

async function isApart(file: string): Promise<boolean> {
  const texts = await withHelpers(file);
  return texts.some((text, index) =>
    APART.some((reason) => reason.test(text)) || index > 0 && REGISTERS_TESTS.test(text)
  );
}

/** The text of a file and of all that it imports but the package, which starts no process. */
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
