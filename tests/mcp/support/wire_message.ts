/**
 * JSON-RPC messages as they stand on the wire.
 *
 * @module
 */

/** A message as it came over the wire. */
export interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** A JSON object, whatever it holds. */
// deno-lint-ignore no-explicit-any -- the tests read deep into answers, and assert on what they find
export type Fields = { readonly [key: string]: any };
