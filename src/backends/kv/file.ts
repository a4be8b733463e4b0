/**
 * The KV file as this process has opened it. SQLite goes on with a file that was deleted, or has another in its place: all
 * would look well until the next start, and then nothing of it would be there.
 *
 * @module
 */
import { basename, resolve } from "node:path";
import { StoreLost } from "../../errors.ts";

/** How often at most the file is looked at for a call that only reads, in ms. */
const LOOK_MS = 1_000;

/** The rights of a file, and of a folder, that is made here: its user's alone. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Makes a folder, and those above it, for this user alone. What is there already stays as it is. */
export async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: FOLDER_MODE });
}

/** Makes a file, and its folder, for this user alone. What is there already stays as it is; SQLite's files beside it follow it. */
export async function makeFile(path: string): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  if (folder !== "") await makeFolder(folder);
  try {
    // Only ever a new one: to close a file that SQLite has open would take its locks away.
    (await Deno.open(path, { createNew: true, write: true, mode: FILE_MODE })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** Opens a file of this process to write, for this user alone if it is new. */
export function openOwn(path: string): Deno.FsFile {
  return Deno.openSync(path, { create: true, write: true, mode: FILE_MODE });
}

/** A file that was opened, and is to stay. */
export class KvFile {
  readonly #path: string;
  readonly #opened: Deno.FileInfo;
  readonly #onLost: () => void;
  #lookAt = 0;
  #lost: StoreLost | undefined;

  /** Remembers which file it is. `onLost` is called when it is found to be gone. */
  constructor(path: string, onLost: () => void) {
    this.#path = resolve(path); // The folder that a process works in may change.
    this.#opened = Deno.statSync(this.#path);
    this.#onLost = onLost;
  }

  /** Throws `StoreLost` if the file is no longer there, as far as was seen lately. One that was put back is found at once. */
  check(): void {
    if (this.#lost || performance.now() >= this.#lookAt) this.#look();
    if (this.#lost) throw this.#lost;
  }

  /** As `check`, and looks now. */
  checkNow(): void {
    this.#look();
    if (this.#lost) throw this.#lost;
  }

  #look(): void {
    this.#lookAt = performance.now() + LOOK_MS;
    const before = this.#lost;
    this.#lost = this.#isThere();
    if (this.#lost && before === undefined) this.#onLost();
  }

  #isThere(): StoreLost | undefined {
    try {
      const { dev, ino } = Deno.statSync(this.#path);
      // Windows has no inodes, and lets nobody delete a file that is open.
      if (dev === this.#opened.dev && ino === this.#opened.ino) return undefined;
      return this.#error("another file stands in its place");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) return undefined; // It cannot be looked at, which says nothing.
      return this.#error("it was deleted or moved");
    }
  }

  #error(what: string): StoreLost {
    // Clients read this, too: where the file stands is not their business.
    return new StoreLost(
      `Cannot use the KV file ${
        basename(this.#path)
      }: ${what} while this process had it open. Nothing that is stored now would ` +
        "last. Put the file back, or end the processes that use it and start them again.",
    );
  }
}
