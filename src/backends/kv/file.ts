/**
 * Notices when the open KV file is deleted or replaced. SQLite does not: it would go on with the old file, and everything
 * would be gone at the next start.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { DefinitionError, StoreLost } from "../../errors.ts";

/** The shortest pause between two checks of the file by calls that only read, in ms. */
const CHECK_MS = 1_000;

/** The modes of new files and folders: for their user alone. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * What other programs read as more than a path: a URL, the home folder, and the path of a URL on Windows (`/C:/…`). Here
 * it would become a folder of that name; SQLite itself reads what begins with `file:`, and would open another file, or
 * none at all.
 */
const READ_ELSEWHERE = /^(?:[a-z]{2,}:\/|~[\\/]|\/[a-z]:\/|file:)/i;

/** Throws `DefinitionError` for what is no path of a file. */
export function checkPath(path: string): void {
  const what = `Cannot open the KV file ${JSON.stringify(path)}`;
  if (path === "" || path === ":memory:") throw new DefinitionError(`${what}: pass a path, or use MemoryBackend.`);
  if (READ_ELSEWHERE.test(path)) {
    throw new DefinitionError(
      `${what}: pass the path of a file, such as "./data/jobs.kv" or import.meta.dirname + "/data/jobs.kv".`,
    );
  }
}

/** Makes a folder and its parents, for this user alone. Existing ones stay as they are. */
export async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: FOLDER_MODE });
}

/**
 * Makes a file and its folder, for this user alone. Existing ones stay as they are. SQLite's files beside it get its mode.
 * Rejects with `DefinitionError` if there is a folder in its place.
 */
export async function makeFile(path: string): Promise<void> {
  const folder = dirname(path);
  if (folder !== ".") await makeFolder(folder);
  try {
    // Never an existing file: closing a file that SQLite has open would release SQLite's locks.
    (await Deno.open(path, { createNew: true, write: true, mode: FILE_MODE })).close();
  } catch (error) {
    if (await isFolder(path)) {
      const file = JSON.stringify(join(path, "jobs.kv"));
      throw new DefinitionError(
        `Cannot open the KV file ${path}: it is a folder. Pass the path of a file in it, such as ${file}.`,
      );
    }
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false); // `open` says why it cannot be read.
}

/** Opens a file for writing, for this user alone if it is new. */
export function openOwn(path: string): Deno.FsFile {
  return Deno.openSync(path, { create: true, write: true, mode: FILE_MODE });
}

export class KvFile {
  readonly #path: string;
  readonly #opened: Deno.FileInfo;
  readonly #onLost: () => void;
  #nextCheckAt = 0;
  #lost: StoreLost | undefined;

  /** Remembers which file it is. `onLost` is called when the file is found to be gone. */
  constructor(path: string, onLost: () => void) {
    this.#path = resolve(path); // The working directory of a process may change.
    this.#opened = Deno.statSync(this.#path);
    this.#onLost = onLost;
  }

  /** Throws `StoreLost` if the file is gone. Notices that within a second, and at once that it was put back. */
  check(): void {
    if (this.#lost || performance.now() >= this.#nextCheckAt) this.checkNow();
  }

  /** As `check`, but without the pause between checks. */
  checkNow(): void {
    this.#nextCheckAt = performance.now() + CHECK_MS;
    const before = this.#lost;
    this.#lost = this.#whyLost();
    if (this.#lost && before === undefined) this.#onLost();
    if (this.#lost) throw this.#lost;
  }

  #whyLost(): StoreLost | undefined {
    try {
      const { dev, ino } = Deno.statSync(this.#path);
      // Windows does not let anybody delete or replace an open file.
      if (dev === this.#opened.dev && ino === this.#opened.ino) return undefined;
      return this.#error("another file stands in its place");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) return undefined; // The file may still be there.
      return this.#error("it was deleted or moved");
    }
  }

  #error(what: string): StoreLost {
    // Clients see this text, so it has no path.
    return new StoreLost(
      `Cannot use the KV file ${basename(this.#path)}: ${what} while this process had it open. Nothing that is ` +
        "stored now would last. Put the file back, or end the processes that use it and start them again.",
    );
  }
}
