/**
 * The one door to the standard library for tests, examples and tools. Where JSR can be reached these are the real @std
 * functions; where it cannot, node's own stand in under the same names. `src/` uses none of them.
 *
 * Keep the set narrow. The types are written down here, for without JSR those of @std are unknown.
 *
 * @module
 */
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

interface Std {
  assert(condition: unknown, message?: string): asserts condition;
  assertEquals<T>(actual: T, expected: T, message?: string): void;
  assertMatch(actual: string, expected: RegExp, message?: string): void;
  assertStringIncludes(actual: string, expected: string, message?: string): void;
  assertThrows<E extends Error>(run: () => unknown, kind: ErrorClass<E>, messageIncludes?: string): E;
  assertRejects<E extends Error>(
    run: () => PromiseLike<unknown>,
    kind: ErrorClass<E>,
    messageIncludes?: string,
  ): Promise<E>;
}

interface Cli {
  parseArgs(
    args: readonly string[],
    options: {
      readonly string?: readonly string[];
      readonly boolean?: readonly string[];
      readonly default?: Record<string, unknown>;
    },
  ): Record<string, unknown> & { readonly _: readonly (string | number)[] };
}

const offline = () => import("./std_offline.ts");
const std: Std = await import("@std/assert").catch(offline);
const cli: Cli = await import("@std/cli/parse-args").catch(offline);

export const assert: Std["assert"] = std.assert;
export const assertEquals: Std["assertEquals"] = std.assertEquals;
export const assertMatch: Std["assertMatch"] = std.assertMatch;
export const assertStringIncludes: Std["assertStringIncludes"] = std.assertStringIncludes;
export const assertThrows: Std["assertThrows"] = std.assertThrows;
export const assertRejects: Std["assertRejects"] = std.assertRejects;
export const parseArgs: Cli["parseArgs"] = cli.parseArgs;
