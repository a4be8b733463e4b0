/**
 * What the command line takes from `@std/cli`. Where JSR cannot be reached, as in a clone without network, node's own parser
 * stands in, and columns may be crooked, because characters are counted.
 *
 * @module
 */
import { parseArgs as nodeParseArgs } from "node:util";

/** The options that take a text, those that take none, and what an unknown one does. */
export interface ParseRules {
  readonly texts: readonly string[];
  readonly flags: readonly string[];
  readonly unknown: (option: string) => never;
}

/** What was passed: the texts of each option, in order, of which one is empty if it is missing; the flags; and all else. */
export interface Parsed {
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReadonlySet<string>;
  readonly operands: readonly string[];
}

/** `parseArgs` of `@std/cli`, whose own type depends on the names of the options. */
type ParseArgs = (
  args: string[],
  rules: object,
) => { readonly _: readonly unknown[]; readonly [option: string]: unknown };

interface StdCli {
  parse(args: readonly string[], rules: ParseRules): Parsed;
  /** How many columns of a terminal a text takes. */
  widthOf(text: string): number;
}

const std: StdCli = await Promise.all([import("@std/cli/parse-args"), import("@std/cli/unicode-width")])
  .then(([{ parseArgs }, { unicodeWidth }]): StdCli => ({
    parse: (args, rules) => parseWith(parseArgs as unknown as ParseArgs, args, rules),
    widthOf: unicodeWidth,
  }))
  .catch((): StdCli => ({ parse: parseOffline, widthOf: (text) => [...text].length })); // The stand-in does the same.

export const { parse, widthOf } = std;

function parseWith(parseArgs: ParseArgs, args: readonly string[], { texts, flags, unknown }: ParseRules): Parsed {
  const { _: operands, ...parsed } = parseArgs([...args], {
    string: ["_", ...texts], // Texts that look like numbers stay texts.
    collect: texts,
    boolean: flags,
    unknown: (argument: string, option?: string) => option === undefined || unknown(argument), // Else it is an operand.
  });
  return {
    texts: new Map(texts.map((name) => [name, parsed[name] as string[]])),
    flags: new Set(flags.filter((name) => parsed[name])),
    operands: operands.map(String),
  };
}

function parseOffline(args: readonly string[], { texts: names, flags: flagNames, unknown }: ParseRules): Parsed {
  const { tokens, positionals: operands } = nodeParseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const texts = new Map<string, string[]>(names.map((name) => [name, []]));
  const flags = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value = "", inlineValue } = token;
    // What begins with a dash is rather the next option.
    if (names.includes(name)) texts.get(name)?.push(!inlineValue && value.startsWith("-") ? "" : value);
    else if (!flagNames.includes(name)) unknown(rawName);
    else if (value === "false") flags.delete(name);
    else flags.add(name);
  }
  return { texts, flags, operands };
}
