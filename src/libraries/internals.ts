/**
 * Looks up by name what a library has but does not promise, so that a version without it is found at once.
 *
 * @module
 */

/** Where each library is loaded from. JSR replaces a specifier only where it is written out. */
const LOCATIONS: { readonly [library: string]: () => string } = {
  "@modelcontextprotocol/server": () => import.meta.resolve("@modelcontextprotocol/server"),
  bullmq: () => import.meta.resolve("bullmq"),
  ioredis: () => import.meta.resolve("ioredis"),
};

/** A library lacks an internal that mcp-jobs uses. */
export class MissingInternal extends Error {
  /** `what` names the internal, as "Server._wrapHandler". */
  constructor(library: string, what: string) {
    super(
      `Cannot use ${library} ${versionOf(library)}: it has no ${what}, which mcp-jobs needs. ` +
        "Install a version of the range that the deno.json of mcp-jobs names.",
    );
  }
}

/**
 * The member `name` of `owner`, which the error calls `ownerName`. Throws `MissingInternal` if it is not there, or is not
 * what `is` expects.
 */
export function internalOf<T>(
  library: string,
  ownerName: string,
  owner: object,
  name: string,
  is: (value: unknown) => value is T,
): T {
  const value: unknown = Reflect.get(owner, name);
  if (is(value)) return value;
  throw new MissingInternal(library, `${ownerName}.${name} of the expected kind`);
}

export function isString(value: unknown): value is string {
  return typeof value === "string";
}

export function isFunction(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === "function";
}

/** The version of a library that is loaded: from the path of its files, or else from its package.json. */
function versionOf(library: string): string {
  try {
    const url = LOCATIONS[library]?.();
    if (url === undefined) return "(version unknown)";
    const inPath = /\/(\d+\.\d+\.\d+[^/]*)\//.exec(url.slice(url.lastIndexOf(`/${library}/`)))?.[1];
    if (inPath !== undefined) return inPath;
    return JSON.parse(Deno.readTextFileSync(new URL("../package.json", url))).version;
  } catch {
    return "(version unknown)"; // Not every way to install a library lets its files be found.
  }
}
