/**
 * Connecting to Redis, and the errors where that fails.
 *
 * @module
 */
import { BackendError, DefinitionError } from "../../errors.ts";
import { messageOf } from "../../text.ts";

/**
 * Opens the Redis at a URL. Rejects with `BackendError`, whose text holds no password, and with `DefinitionError` for
 * what is no URL of a Redis.
 */
export async function opened<T>(url: string, open: () => Promise<T>): Promise<T> {
  const address = URL.parse(url);
  // The path is the number of the database.
  if (address === null || !/^rediss?:$/.test(address.protocol) || !/^\/?\d*$/.test(address.pathname)) {
    // The text leaves out a URL that cannot be parsed, because it may hold a password.
    throw new DefinitionError(
      "Cannot connect to Redis: its address must be a URL like redis://user:password@host:6379/0.",
    );
  }
  try {
    return await open();
  } catch (cause) {
    const { protocol, host, pathname } = address;
    throw new BackendError(`Cannot connect to Redis at ${protocol}//${host}${pathname}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
