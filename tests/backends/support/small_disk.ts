/**
 * A disk that is soon full: a small file system of a test's own.
 *
 * @module
 */

async function mount(...args: readonly string[]): Promise<boolean> {
  const [command = "", ...rest] = args;
  try {
    return (await new Deno.Command(command, { args: rest, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false; // There is no such program.
  }
}

/** Mounts a file system of 4 MB, and gives the way to take it away. */
export async function smallDisk(folder: string): Promise<(() => Promise<void>) | undefined> {
  if (!await mount("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)) return undefined;
  return async () => {
    if (!await mount("umount", folder)) throw new Error(`Cannot unmount ${folder}: do it by hand.`);
  };
}

/** Why tests that need one are left out, or `undefined` if they can run: tried once. */
export const noSmallDisk: string | undefined = await mayMount()
  ? undefined
  : "mounting a small disk takes root on Linux";

async function mayMount(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-mount-" });
  const unmount = await smallDisk(folder);
  await unmount?.();
  await Deno.remove(folder);
  return unmount !== undefined;
}

/** Fills a disk to its last byte. Gives the file that does. */
export function fill(folder: string): string {
  const path = `${folder}/filler`;
  using file = Deno.openSync(path, { create: true, append: true });
  for (let size = 65_536; size >= 1; size /= 2) {
    try {
      while (file.writeSync(new Uint8Array(size)) > 0);
    } catch {
      // No room for as much.
    }
  }
  return path;
}
