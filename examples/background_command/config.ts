/**
 * The allow-list: the commands that may be run, by name.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { findProgram, folderWithin } from "./paths.ts";

const Command = z.strictObject({
  description: z.string().optional(),
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  cwd: z.string().default("."),
  env: z.array(z.string().regex(/^[A-Za-z_]\w*$/)).default([]),
  timeout_seconds: z.number().positive().max(86_400).optional(),
});

const Config = z.record(z.string().regex(/^[\w.-]+$/), Command)
  .refine((config) => Object.keys(config).length > 0, "It names no command.");

/** A command that may be run. */
export interface AllowedCommand extends Readonly<z.infer<typeof Command>> {
  /** The absolute path of the program; `undefined` if there was none when the list was read. */
  readonly program: string | undefined;
  /** The folder that must contain the working folder. */
  readonly root: string;
}

/** The allowed commands by name. */
export type AllowList = ReadonlyMap<string, AllowedCommand>;

/**
 * Reads the allow-list from a JSON file. A relative `cwd` or `command` starts from the file's folder; a `command` without
 * a slash is looked up once in `PATH`. Throws if a `cwd` is outside `root`.
 */
export async function readAllowList(path: string, root: string): Promise<AllowList> {
  let json: unknown;
  try {
    json = JSON.parse(await Deno.readTextFile(path));
  } catch (cause) {
    throw new Error(`Cannot read the commands from ${path}: ${cause}`, { cause });
  }
  const parsed = Config.safeParse(json);
  if (!parsed.success) throw new Error(`Cannot use the commands in ${path}:\n${z.prettifyError(parsed.error)}`);
  const folder = dirname(resolve(path));
  const list = new Map<string, AllowedCommand>();
  for (const [name, command] of Object.entries(parsed.data)) {
    const cwd = resolve(folder, command.cwd);
    await folderWithin(root, cwd).catch((cause) => {
      throw new Error(`Cannot use the commands in ${path}: ${name}.cwd: ${cause.message}`, { cause });
    });
    list.set(name, { ...command, cwd, root, program: await findProgram(command.command, folder) });
  }
  return list;
}

/**
 * Identifies a list by what it runs, where, and with which variables, in 16 characters. The order of the commands and their
 * descriptions make no difference.
 */
export function fingerprint(allowed: AllowList): string {
  const runs = [...allowed].map(([name, { command, program, args, cwd, env, timeout_seconds }]) =>
    JSON.stringify([name, program ?? command, args, cwd, env, timeout_seconds ?? null])
  );
  return createHash("sha256").update(runs.sort().join("\n")).digest("hex").slice(0, 16);
}
