/**
 * What tests pass as `onError`.
 *
 * @module
 */
import type { ErrorPlace } from "../../backend.ts";
import type { OnError } from "../../mod.ts";

/** For errors that a test causes without a look at how they are reported. */
export const ignored: OnError = (): void => {};

/** For tests in which nothing fails: an error fails the test. */
export const unexpected: OnError = (error: unknown): void => {
  throw error;
};

/** Collects the errors that are reported. */
export class Reported {
  readonly all: (ErrorPlace & { readonly error: unknown })[] = [];
  readonly #first = Promise.withResolvers<void>();

  /** Resolves once an error was reported. */
  readonly first: Promise<void> = this.#first.promise;

  readonly onError: OnError = (error, place) => {
    this.all.push({ ...place, error });
    this.#first.resolve();
  };
}
