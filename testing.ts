/**
 * The conformance kit: the tests that every backend passes, for backends of your own.
 *
 * @module
 */
export * from "./src/testing/mod.ts";
