/**
 * Tells clients of a protected resource where to get a token (RFC 9728), and what was wrong with theirs (RFC 6750).
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** Whether a request asks for the metadata document. Behind a proxy the endpoint itself may have another path. */
export function isForMetadata({ url }: Request): boolean {
  return new URL(url).pathname.startsWith(WELL_KNOWN);
}

/** The URL of the metadata document. RFC 9728, section 3.1: the well-known part goes between host and path. */
export function metadataUrlOf(resource: string): string {
  try {
    const { origin, pathname } = new URL(resource);
    return `${origin}${WELL_KNOWN}${pathname === "/" ? "" : pathname}`;
  } catch (cause) {
    throw new DefinitionError(
      `Cannot use ${JSON.stringify(resource)} as resource: it must be the URL of the MCP endpoint. Pass \`resource\`.`,
      { cause },
    );
  }
}

/** Answers a request for the metadata document. */
export function metadataResponse({ method }: Request, metadata: unknown): Response {
  const headers = { "access-control-allow-origin": "*", "cache-control": "max-age=3600" };
  if (method === "GET") return Response.json(metadata, { headers });
  const allow = "GET";
  return new Response(null, { status: method === "OPTIONS" ? 204 : 405, headers: { ...headers, allow } });
}

/** The `WWW-Authenticate` header. RFC 6750, section 3: a request without a token gets no error code. */
export function challengeOf(
  metadataUrl: string,
  scopes: readonly string[],
  error: string | undefined,
  description: string | undefined,
): string {
  const parts = {
    ...(error && { error }),
    ...(description && { error_description: description }),
    ...(scopes.length > 0 && { scope: scopes.join(" ") }),
    resource_metadata: metadataUrl,
  };
  // Characters that a header's quoted string cannot hold become an apostrophe.
  const quoted = Object.entries(parts).map(([name, text]) =>
    `${name}="${text.replaceAll(/[^\x20-\x7e]|["\\]/g, "'")}"`
  );
  return `Bearer ${quoted.join(", ")}`;
}
