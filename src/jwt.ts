/**
 * Authentication by JWT access tokens, as the MCP specification ("Authorization") wants it of a resource server: the
 * token is checked here, and issued elsewhere.
 *
 * @module
 */
import type { Authenticate, Identity } from "./authenticate.ts";
import { BackendError, DefinitionError } from "./errors.ts";
import { anything, checkOptions, numberFrom, required, type Rules, text, texts } from "./options.ts";

/** What {@linkcode jwtAuthenticator} takes. */
export interface JwtOptions {
  /** Who issues the tokens, exactly as their `iss` says. */
  readonly issuer: string;
  /** Whom the tokens are for, exactly as their `aud` says: for MCP the URL of the endpoint. */
  readonly audience: string;
  /** The issuer's public keys: the URL of its JWK set, or the set itself. */
  readonly jwks: string | URL | { readonly keys: readonly { readonly [name: string]: unknown }[] };
  /** By how many seconds the clocks may differ; default 30. */
  readonly clockSkew?: number;
  /** What a token must allow, all of it; default nothing. Told to clients in the metadata document, too. */
  readonly scopes?: readonly string[];
  /** The signatures that are accepted; default those with a public key that JOSE recommends, never a shared secret. */
  readonly algorithms?: readonly string[];
  /** The URL of the MCP endpoint; default: `audience`. */
  readonly resource?: string;
}

const OPTIONS: Rules<JwtOptions> = {
  issuer: required(text),
  audience: required(text),
  jwks: anything,
  clockSkew: numberFrom(0),
  scopes: texts,
  algorithms: texts,
  resource: text,
};

const ALGORITHMS = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
];

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** The longest token that is looked at. */
const MAX_TOKEN_LENGTH = 16_384;

/** Why a token is not good. The text goes to the caller. */
class Refused extends Error {}

/**
 * Authenticates by `Authorization: Bearer <JWT>`; the principal is the token's `sub`. Also answers requests for the
 * protected resource metadata document (RFC 9728), which every 401 points to. Throws `DefinitionError` for options that
 * cannot work; what it gives rejects with `BackendError` while the issuer's keys cannot be read.
 *
 * @example
 * ```ts
 * import { jwtAuthenticator } from "@mcp-jobs/mcp-jobs";
 * const authenticate = jwtAuthenticator({
 *   issuer: "https://login.example.com/",
 *   audience: "https://jobs.example.com/mcp",
 *   jwks: "https://login.example.com/.well-known/jwks.json",
 * });
 * const response = await authenticate(new Request("https://jobs.example.com/mcp", { method: "POST" }));
 * console.assert(response instanceof Response && response.status === 401);
 * ```
 */
export function jwtAuthenticator(options: JwtOptions): Authenticate {
  checkOptions("jwtAuthenticator", options, OPTIONS);
  const { issuer, jwks, scopes = [], resource = options.audience } = options;
  checkKeys(jwks);
  const metadataUrl = metadataUrlOf(resource);
  const metadata = {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ["header"],
    ...(scopes.length > 0 && { scopes_supported: scopes }),
  };
  // Every well-known address counts: behind a proxy the endpoint's own path may be another one.
  const isMetadata = (url: string) => new URL(url).pathname.startsWith(WELL_KNOWN);
  const challenge = (status: 401 | 403, error?: string, description?: string) =>
    new Response(JSON.stringify({ error: error ?? "unauthorized", error_description: description }), {
      status,
      headers: {
        "content-type": "application/json",
        "www-authenticate": challengeOf(metadataUrl, scopes, error, description),
      },
    });
  let verifying: Promise<(token: string) => Promise<Identity>> | undefined;

  return async (request) => {
    if (isMetadata(request.url)) return metadataResponse(request, metadata);
    const [, token] = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    if (token === undefined) return challenge(401);
    try {
      if (token.length > MAX_TOKEN_LENGTH) throw new Refused("The token is too long.");
      const verify = await (verifying ??= verifier(options));
      const identity = await verify(token);
      const missing = scopes.filter((scope) => !identity.scopes?.includes(scope));
      if (missing.length === 0) return identity;
      return challenge(403, "insufficient_scope", `The token does not allow: ${missing.join(" ")}.`);
    } catch (error) {
      if (error instanceof Refused) return challenge(401, "invalid_token", error.message);
      const where = typeof jwks === "string" || jwks instanceof URL ? ` from ${jwks}` : "";
      throw new BackendError(`Cannot check a token: the issuer's keys cannot be read${where}: ${error}`, {
        cause: error,
      });
    }
  };
}

/** Loads npm:jose, once the first token comes. */
async function verifier(options: JwtOptions): Promise<(token: string) => Promise<Identity>> {
  const { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify } = await import("jose");
  const { issuer, audience, jwks, clockSkew = 30, algorithms = ALGORITHMS } = options;
  const keys = typeof jwks === "string" || jwks instanceof URL
    ? createRemoteJWKSet(new URL(jwks))
    : createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]);
  const checks = {
    issuer,
    audience,
    clockTolerance: clockSkew,
    algorithms: [...algorithms],
    requiredClaims: ["exp", "sub"],
  };
  /** What is wrong with the issuer, not with the token. */
  const ofTheIssuer = [errors.JWKSInvalid, errors.JWKSTimeout];
  return async (token) => {
    try {
      const { payload: { sub, scope, scp } } = await jwtVerify(token, keys, checks);
      if (typeof sub !== "string" || sub === "") throw new Refused('The token has no "sub" that names a principal.');
      return { principal: sub, scopes: scopesOf(scope ?? scp) };
    } catch (error) {
      if (error instanceof Refused) throw error;
      if (!(error instanceof errors.JOSEError) || ofTheIssuer.some((kind) => error instanceof kind)) throw error;
      // JOSEError itself, and not one of its kinds, is how the key set says that its server did not answer 200.
      if (error.code === errors.JOSEError.code) throw error;
      throw new Refused(`The token is not valid: ${error.message}.`);
    }
  };
}

/** RFC 6749 has one text with spaces; some issuers send a list. */
function scopesOf(claim: unknown): readonly string[] {
  if (typeof claim === "string") return claim.split(" ").filter(Boolean);
  return Array.isArray(claim) ? claim.filter((scope) => typeof scope === "string") : [];
}

/** Else the first to hear of a wrong address would be whoever sends the first token. */
function checkKeys(jwks: JwtOptions["jwks"]): void {
  const good = typeof jwks === "string" ? URL.canParse(jwks) : jwks instanceof URL || Array.isArray(jwks?.keys);
  if (good) return;
  throw new DefinitionError(
    `Cannot use ${JSON.stringify(jwks)} as jwks: it must be the URL of the issuer's JWK set, or the set itself.`,
  );
}

/** RFC 9728, section 3.1: the well-known part goes between host and path. */
function metadataUrlOf(resource: string): string {
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

function metadataResponse({ method }: Request, metadata: unknown): Response {
  const headers = { "access-control-allow-origin": "*", "cache-control": "max-age=3600" };
  if (method === "GET") return Response.json(metadata, { headers });
  const allow = "GET";
  return new Response(null, { status: method === "OPTIONS" ? 204 : 405, headers: { ...headers, allow } });
}

/** RFC 6750, section 3: without a token there is no error to tell. */
function challengeOf(
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
  // What a quoted string in a header cannot hold is left out.
  const quoted = Object.entries(parts).map(([name, text]) =>
    `${name}="${text.replaceAll(/[^\x20-\x7e]|["\\]/g, "'")}"`
  );
  return `Bearer ${quoted.join(", ")}`;
}
