/**
 * From arguments to a command, its help, its errors and its exit code.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { JobsError } from "../errors.ts";
import { oneLine } from "../text.ts";
import { type Command, type Option, type Options, UsageError, type Values } from "./command.ts";
import { COMMANDS } from "./commands/mod.ts";
import { flag } from "./option.ts";
import type { Output } from "./output.ts";
import { PLACE } from "./place.ts";
import { parse } from "./std.ts";

/** What every command has. */
const COMMON = {
  json: flag("write JSON"),
  help: flag("show this help"),
} as const satisfies Options;

/** What the command line takes from its process. */
export interface CliEnvironment extends Omit<Output, "json"> {
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** The time in ms since the epoch. */
  now(): number;
  /** Opens the backend that the options name; with `migrates`, its tables are made or updated before. */
  open(place: Values<typeof PLACE>, migrates: boolean): Promise<Backend>;
}

/** Exit codes: the command failed, or was not understood. */
const FAILED = 1;
const USAGE_ERROR = 2;

/** Runs the command line. Resolves with the exit code: 0, 1 if the command failed, 2 if it was not understood. */
export async function runCli(args: readonly string[], environment: CliEnvironment): Promise<number> {
  const [first = "", ...others] = args.map((arg) => arg === "-h" ? "--help" : arg);
  // `help tasks` is `tasks --help`.
  const [name = "", ...rest] = first === "help" && others.length > 0 ? [...others, "--help"] : [first, ...others];
  const command = COMMANDS.find((each) => each.name === name);
  if (name === "--help" || name === "help") {
    environment.write(`${overview()}\n`);
    return 0;
  }
  if (command === undefined) {
    environment.say(
      name === "" ? overview() : `mcp-jobs: there is no command ${JSON.stringify(name)}.\n\n${overview()}`,
    );
    return USAGE_ERROR;
  }
  try {
    return await runCommand(command, rest, environment);
  } catch (error) {
    if (error instanceof UsageError) {
      environment.say(`mcp-jobs ${name}: ${error.message}\nSee mcp-jobs ${name} --help.`);
      return USAGE_ERROR;
    }
    if (!(error instanceof JobsError)) throw error;
    environment.say(`mcp-jobs ${name}: ${oneLine(error.message, 2_000)}`);
    return FAILED;
  }
}

async function runCommand(command: Command, args: readonly string[], environment: CliEnvironment): Promise<number> {
  const rules: Options = { ...command.options, ...PLACE, ...COMMON };
  const { values, operands } = read(args, rules, environment.now());
  const { help, json = false, kv, redis, postgres, prefix, schema, ...options } = values as Values<
    typeof COMMON & typeof PLACE
  >;
  if (help) {
    environment.write(`${helpOf(command)}\n`);
    return 0;
  }
  checkOperands(command, operands);
  const backend = await environment.open({ kv, redis, postgres, prefix, schema }, command.migrates ?? false);
  try {
    const out: Output = { json, terminal: environment.terminal, write: environment.write, say: environment.say };
    const { operator } = backend;
    return await command.run({ backend, operator, operands, options, out, signal: environment.signal }) ?? 0;
  } finally {
    await backend.close();
  }
}

/** Reads options and operands. Throws `UsageError`. */
function read(args: readonly string[], rules: Options, now: number): { values: object; operands: readonly string[] } {
  const named = Object.entries(rules);
  refuseTexts(args, rules);
  const { texts, flags, operands } = parse(args, {
    texts: named.filter(([, { takes }]) => takes !== undefined).map(([name]) => name),
    flags: named.filter(([, { takes }]) => takes === undefined).map(([name]) => name),
    unknown: (option) => {
      throw new UsageError(`there is no option ${option}.`);
    },
  });
  const values: { [name: string]: unknown } = {};
  for (const [name, option] of named) {
    const [text, again] = flags.has(name) ? ["true"] : texts.get(name) ?? [];
    if (text === undefined) continue;
    if (again !== undefined) throw new UsageError(`--${name} was passed more than once.`);
    if (text === "") throw new UsageError(`--${name} needs ${option.takes}.`);
    values[name] = readOption(name, option, text, now);
  }
  return { values, operands };
}

/** Throws `UsageError` for a flag with a text: the parser would take every one but `false` for a yes. */
function refuseTexts(args: readonly string[], rules: Options): void {
  for (const arg of args.slice(0, args.includes("--") ? args.indexOf("--") : undefined)) {
    const [, name = "", text = ""] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    if (!Object.hasOwn(rules, name) || rules[name]?.takes !== undefined || /^(true|false)$/.test(text)) continue;
    throw new UsageError(`--${name} takes no text such as ${JSON.stringify(text)}: pass it alone, or leave it out.`);
  }
}

function readOption(name: string, option: Option<unknown>, text: string, now: number): unknown {
  try {
    return option.read(text, now);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`--${name} ${error.message}.`);
    throw error;
  }
}

function checkOperands({ operands }: Command, passed: readonly string[]): void {
  const missing = operands.slice(passed.length).find((name) => !name.startsWith("["));
  if (missing !== undefined) throw new UsageError(`${missing.replace("...", "")} is missing.`);
  const surplus = operands.at(-1)?.endsWith("...") ? undefined : passed[operands.length];
  if (surplus !== undefined) throw new UsageError(`${JSON.stringify(surplus)} is one argument too many.`);
}

function overview(): string {
  const widest = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    "See and steer the tasks of mcp-jobs.",
    "",
    "Usage: mcp-jobs COMMAND [--kv PATH | --redis URL | --postgres URL] [options]",
    "",
    ...COMMANDS.map(({ name, about }) => `  ${name.padEnd(widest)}  ${about}`),
    "",
    "Without one of these options, MCP_JOBS_KV, REDIS_URL or POSTGRES_URL in the environment names the store. Other users",
    "can read a password in a command line, but not in the environment. mcp-jobs COMMAND --help shows a command's options.",
  ].join("\n");
}

function helpOf({ name, about, operands, options }: Command): string {
  const groups: readonly (readonly [string, Options])[] = [["Options", { ...options, ...COMMON }], ["Store", PLACE]];
  const listed = groups.map(([title, group]) => [
    "",
    `${title}:`,
    ...Object.entries(group).map(([option, { takes, about }]) =>
      `  ${`--${option}${takes ? ` ${takes}` : ""}`.padEnd(18)}  ${about}`
    ),
  ]);
  const usage = ["mcp-jobs", name, ...operands, "[--kv PATH | --redis URL | --postgres URL]", "[options]"].join(" ");
  return [`${about}.`, "", `Usage: ${usage}`, ...listed.flat()].join("\n");
}
