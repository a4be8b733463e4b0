/**
 * What the URL of a database says, as the driver reads it.
 *
 * @module
 */
import { DefinitionError } from "../../../errors.ts";

/** A password with a raw `/`, `?` or `#`: what follows that, up to the `@`, would be no part of the password. */
const RAW_PASSWORD = /^\w+:\/\/[^@/?#]*[/?#][^=]*@/;

/** Parses a URL. Throws `DefinitionError`, which does not quote it because it may contain a password. */
export function parseUrl(url: string): URL {
  // Without a host, as in postgres://user@/database?host=/folder, a parameter names the folder of a Unix socket.
  const parsed = URL.parse(url) ?? URL.parse(url.replace("@/", "@localhost/"));
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol) || RAW_PASSWORD.test(url)) {
    throw new DefinitionError(
      "Cannot connect to PostgreSQL: the URL is not valid. Use postgres://user:password@host:5432/database, with " +
        "special characters of the password percent-encoded.",
    );
  }
  return parsed;
}

/** The host and port of a URL, or the folder of its socket. */
export function placeOf({ searchParams, host }: URL): string {
  return searchParams.get("host") ?? host;
}

/**
 * Settings of the session, for the driver: it takes the `options` of a URL instead of others. Those of the URL come last, so
 * they count.
 */
export function withSettings(
  url: string,
  settings: string,
): { readonly connectionString: string; readonly options: string } {
  const parsed = parseUrl(url);
  const own = parsed.searchParams.get("options");
  if (own !== null) parsed.searchParams.set("options", `${settings} ${own}`);
  return { connectionString: own === null ? url : parsed.href, options: settings };
}
