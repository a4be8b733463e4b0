/**
 * The opening of a database, and what is said where it fails.
 *
 * @module
 */
import { BackendError } from "../../errors.ts";

/** Opens what is at a URL. Rejects with `BackendError`, whose text holds no password. */
export async function opened<T>(what: string, url: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    const said = messageOf(cause);
    // What is no URL may be quoted whole in the error, with the password.
    if (said.includes(url)) throw new BackendError(`Cannot ${what}: its address is no URL that can be read.`);
    throw new BackendError(`Cannot ${what}${withoutSecrets(url)}: ${said}`, { cause });
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where a URL leads to, without who is let in there; nothing of what cannot be read. */
function withoutSecrets(url: string): string {
  const address = URL.parse(url);
  return address === null ? "" : ` at ${address.protocol}//${address.host}${address.pathname}`;
}
