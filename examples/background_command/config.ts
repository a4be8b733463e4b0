/**
 * The allow-list: which commands there are, by name.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { z } from "zod";

const Command = z.strictObject({
  description: z.string().optional(),
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  cwd: z.string().default("."),
  timeout_seconds: z.number().positive().max(86_400).optional(),
});

const Config = z.record(z.string().regex(/^[\w.-]+$/), Command)
  .refine((config) => Object.keys(config).length > 0, "It names no command.");

/** A command that may be run. */
export type AllowedCommand = Readonly<z.infer<typeof Command>>;

/** The commands that may be run, by name. */
export type AllowList = ReadonlyMap<string, AllowedCommand>;

/** Reads the allow-list from a JSON file. A relative `cwd` starts from the file's folder. */
export async function readAllowList(path: string): Promise<AllowList> {
  let json: unknown;
  try {
    json = JSON.parse(await Deno.readTextFile(path));
  } catch (cause) {
    throw new Error(`Cannot read the commands from ${path}: ${cause}`, { cause });
  }
  const parsed = Config.safeParse(json);
  if (!parsed.success) throw new Error(`Cannot use the commands in ${path}:\n${z.prettifyError(parsed.error)}`);
  const folder = dirname(resolve(path));
  const commands = Object.entries(parsed.data);
  return new Map(commands.map(([name, command]) => [name, { ...command, cwd: resolve(folder, command.cwd) }]));
}

/**
 * Tells lists apart by what they run and where, in 16 letters. The order of the commands and their descriptions make no
 * difference.
 */
export function fingerprint(allowed: AllowList): string {
  const runs = [...allowed].map(([name, { command, args, cwd, timeout_seconds }]) =>
    JSON.stringify([name, command, args, cwd, timeout_seconds ?? null])
  );
  return createHash("sha256").update(runs.sort().join("\n")).digest("hex").slice(0, 16);
}
