/**
 * What stands in for @std where JSR cannot be reached: the same names on node:assert and node:util.
 *
 * @module
 */
import { AssertionError, deepStrictEqual } from "node:assert";

function fail(message: string): never {
  throw new AssertionError({ message });
}

export function assert(condition: unknown, message = "The condition does not hold."): asserts condition {
  if (!condition) fail(message);
}

export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  deepStrictEqual(actual, expected, message);
}

export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  if (!expected.test(actual)) fail(message ?? `Expected ${JSON.stringify(actual)} to match ${expected}.`);
}

export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (!actual.includes(expected)) {
    fail(message ?? `Expected ${JSON.stringify(actual)} to include ${JSON.stringify(expected)}.`);
  }
}

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

function checkError<E extends Error>(error: unknown, kind: ErrorClass<E>, messageIncludes = ""): E {
  if (!(error instanceof kind)) {
    const got = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    fail(`Expected a ${kind.name}, got ${got}`);
  }
  assertStringIncludes(error.message, messageIncludes);
  return error;
}

export function assertThrows<E extends Error>(run: () => unknown, kind: ErrorClass<E>, messageIncludes?: string): E {
  try {
    run();
  } catch (error) {
    return checkError(error, kind, messageIncludes);
  }
  fail(`Expected a ${kind.name}, but nothing was thrown.`);
}

export async function assertRejects<E extends Error>(
  run: () => PromiseLike<unknown>,
  kind: ErrorClass<E>,
  messageIncludes?: string,
): Promise<E> {
  try {
    await run();
  } catch (error) {
    return checkError(error, kind, messageIncludes);
  }
  fail(`Expected a ${kind.name}, but the promise resolved.`);
}
