/**
 * The opening of a database, and what is said where it fails.
 *
 * @module
 */
import { BackendError, DefinitionError } from "../../errors.ts";
import { messageOf } from "../../text.ts";

/** What the URLs of a database look like. On Redis the path is the number of the database. */
const URLS = {
  redis: {
    example: "redis://user:password@host:6379/0",
    fits: ({ protocol, pathname }: URL) => /^rediss?:$/.test(protocol) && /^\/?\d*$/.test(pathname),
  },
  postgres: {
    example: "postgres://user:password@host:5432/database",
    fits: ({ protocol }: URL) => /^postgres(ql)?:$/.test(protocol),
  },
} as const;

/**
 * Opens what is at a URL. Rejects with `BackendError`, whose text holds no password, and with `DefinitionError` for what
 * is not the URL of such a database.
 */
export async function opened<T>(
  what: string,
  kind: keyof typeof URLS,
  url: string,
  open: () => Promise<T>,
): Promise<T> {
  const { example, fits } = URLS[kind];
  const address = URL.parse(url);
  // What cannot be read is not told: it holds a password.
  if (address === null || !fits(address)) {
    throw new DefinitionError(`Cannot ${what}: its address must be a URL like ${example}.`);
  }
  try {
    return await open();
  } catch (cause) {
    const { protocol, host, pathname } = address;
    throw new BackendError(`Cannot ${what} at ${protocol}//${host}${pathname}: ${messageOf(cause)}`, { cause });
  }
}
