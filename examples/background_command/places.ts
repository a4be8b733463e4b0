/**
 * Where programs and working folders are.
 *
 * @module
 */
import { delimiter, join, relative, resolve } from "node:path";

/**
 * The absolute path of a program: a name without a slash is looked up in `PATH`, any other one starts from `folder`.
 * `undefined` if there is none.
 */
export async function findProgram(name: string, folder: string): Promise<string | undefined> {
  const candidates = name.includes("/")
    ? [resolve(folder, name)]
    : (Deno.env.get("PATH") ?? "").split(delimiter).filter((path) => path.startsWith("/")).map((path) =>
      join(path, name)
    );
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    const { isFile, mode } = await Deno.stat(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false; // It is not there, or may not be seen: another folder of PATH may have it.
  }
}

/** A folder with all links followed. Throws if it does not exist, or lies outside `root`. */
export async function folderWithin(root: string, folder: string): Promise<string> {
  const [outer, inner] = await Promise.all([Deno.realPath(root), Deno.realPath(folder)]).catch((cause) => {
    throw new Error(`There is no folder ${folder}: ${cause.message}`, { cause });
  });
  const way = relative(outer, inner);
  if (way === ".." || way.startsWith("../")) {
    throw new Error(`${inner} lies outside ${outer}. Start the server with --root=<a folder that holds both>.`);
  }
  return inner;
}
