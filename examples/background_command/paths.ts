/**
 * Finds programs and working folders.
 *
 * @module
 */
import { delimiter, join, relative, resolve } from "node:path";

/**
 * The absolute path of a program: a name without a slash is looked up in `PATH`, any other is relative to `folder`.
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
    return false; // It does not exist or is not accessible; another folder of PATH may have it.
  }
}

/** Resolves a folder with all links followed. Throws if it does not exist or is outside `root`. */
export async function folderWithin(root: string, folder: string): Promise<string> {
  const [outer, inner] = await Promise.all([Deno.realPath(root), Deno.realPath(folder)]).catch((cause) => {
    throw new Error(`Cannot find the folder ${folder}: ${cause.message}`, { cause });
  });
  const path = relative(outer, inner);
  if (path === ".." || path.startsWith("../")) {
    throw new Error(`${inner} is outside ${outer}. Start the server with --root=<a folder that contains both>.`);
  }
  return inner;
}
