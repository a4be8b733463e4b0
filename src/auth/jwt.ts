/**
 * Authentication by JWT access tokens. As the MCP specification requires of a resource server ("Authorization"), it
 * verifies tokens that an authorization server elsewhere has issued.
 *
 * @module
 */
import type { Authenticate, Identity } from "./authenticate.ts";
import { BackendError, DefinitionError } from "../errors.ts";
import { identityOf, type JwtClaims } from "./jwt_claims.ts";
import { challengeOf, isForMetadata, metadataResponse, metadataUrlOf } from "./protected_resource.ts";
import { anything, callback, checkOptions, numberFrom, required, type Rules, text, texts } from "../options.ts";

/** The options of {@linkcode jwtAuthenticator}. */
export interface JwtOptions {
  /** The issuer of the tokens, exactly as in their `iss`. */
  readonly issuer: string;
  /** The audience of the tokens, exactly as in their `aud`: for MCP, the URL of the endpoint. */
  readonly audience: string;
  /** The issuer's public keys: the URL of its JWK set, or the set itself. */
  readonly jwks: string | URL | { readonly keys: readonly { readonly [name: string]: unknown }[] };
  /** By how many seconds the clocks may differ. Default: 30. */
  readonly clockSkew?: number;
  /** The scopes that a token must have, all of them. The metadata document lists them. Default: none. */
  readonly scopes?: readonly string[];
  /**
   * The `typ` that the header of a token must have. Default: `"at+jwt"` (RFC 9068), so that no other token of the issuer
   * passes for an access token. Some issuers set `"JWT"`. With `false` any `typ` is accepted, for issuers that set none.
   */
  readonly typ?: string | false;
  /**
   * Returns the principal of a token. Default: `user:` and the token's `sub`, or `client:` and the `sub` if that is the
   * OAuth client itself (its `client_id` or `azp`). An empty principal is refused. Keep people and clients apart in your
   * own names too: otherwise a client that may choose its id could pass for a person.
   */
  readonly principalOf?: (claims: JwtClaims) => string;
  /** The accepted signature algorithms. Default: those with a public key that JOSE recommends, never a shared secret. */
  readonly algorithms?: readonly string[];
  /** The URL of the MCP endpoint. Default: `audience`. */
  readonly resource?: string;
}

const OPTIONS: Rules<JwtOptions> = {
  issuer: required(text),
  audience: required(text),
  jwks: anything,
  clockSkew: numberFrom(0),
  scopes: texts,
  typ: { expected: "a text or false", fits: (value) => value === false || text.fits(value) },
  principalOf: callback,
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

/** Hosts for which plain HTTP stays within this machine. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * How long an unknown key does not make us read the issuer's keys again, in ms. Some issuers sign with a new key at once, and
 * their users cannot log in meanwhile.
 */
const COOLDOWN_MS = 5_000;

/** The longest token that is verified, in characters. */
const MAX_TOKEN_LENGTH = 16_384;

/** A token is refused. The caller receives the message. */
class Refused extends Error {}

/**
 * Authenticates by `Authorization: Bearer <JWT>`. The principal is the token's `sub`, prefixed to tell people from OAuth
 * clients. Event streams end when the token expires. It also answers requests for the protected resource metadata document
 * (RFC 9728), to which every 401 points. Throws `DefinitionError` for options that cannot work, such as an issuer or keys
 * over plain HTTP on another machine. The function that it returns rejects with `BackendError` while the issuer's keys
 * cannot be read.
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
  refusePlainHttp(issuer, "issuer");
  const metadataUrl = metadataUrlOf(resource);
  const metadata = {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ["header"],
    ...(scopes.length > 0 && { scopes_supported: scopes }),
  };
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
    if (isForMetadata(request)) return metadataResponse(request, metadata);
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
      throw error;
    }
  };
}

/** Loads npm:jose with the first token. */
async function verifier(options: JwtOptions): Promise<(token: string) => Promise<Identity>> {
  const { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify } = await import("jose");
  const { issuer, audience, jwks, clockSkew = 30, algorithms = ALGORITHMS, typ = "at+jwt" } = options;
  const { principalOf } = options;
  const keys = typeof jwks === "string" || jwks instanceof URL
    ? createRemoteJWKSet(new URL(jwks), { cooldownDuration: COOLDOWN_MS })
    : createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]);
  const checks = {
    issuer,
    audience,
    clockTolerance: clockSkew,
    algorithms: [...algorithms],
    requiredClaims: ["exp", "sub"],
    ...(typ !== false && { typ }),
  };
  return async (token) => {
    const verified = await jwtVerify(token, keys, checks).catch((error) => {
      // JOSEError itself, rather than a subclass, means that the server of the key set did not answer 200.
      const isOfToken = error instanceof errors.JOSEError && error.code !== errors.JOSEError.code &&
        !(error instanceof errors.JWKSInvalid || error instanceof errors.JWKSTimeout);
      if (isOfToken) throw new Refused(`The token is not valid: ${error.message}.`);
      const where = typeof jwks === "string" || jwks instanceof URL ? ` from ${withoutSecrets(jwks)}` : "";
      throw new BackendError(`Cannot check a token: the issuer's keys cannot be read${where}: ${withoutUrl(error)}`, {
        cause: error,
      });
    });
    const { sub, exp = 0, ...rest } = verified.payload;
    if (typeof sub !== "string" || sub === "") throw new Refused('The token has no "sub" that names a principal.');
    // Streams stay open for as long as the token is accepted.
    return { ...identityOf({ ...rest, sub, exp }, principalOf), expiresAt: (exp + clockSkew) * 1_000 };
  };
}

/** A URL for the logs: a name, a password or a key in its query is for the issuer alone. */
function withoutSecrets(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** The text of an error of `fetch`, which in Deno 2.9.0 names the whole URL. */
function withoutUrl(error: unknown): string {
  return String(error).replace(/ for url \(.*?\)/, "");
}

/** Checked at once: otherwise a wrong address would only show when the first token arrives. */
function checkKeys(jwks: JwtOptions["jwks"]): void {
  const good = typeof jwks === "string" ? URL.canParse(jwks) : jwks instanceof URL || Array.isArray(jwks?.keys);
  if (!good) {
    throw new DefinitionError(
      `Cannot use ${JSON.stringify(jwks)} as jwks: it must be the URL of the issuer's JWK set, or the set itself.`,
    );
  }
  if (typeof jwks === "string" || jwks instanceof URL) refusePlainHttp(jwks, "jwks");
}

/** Over plain HTTP, anybody on the network path could replace the issuer's keys with their own. */
function refusePlainHttp(given: string | URL, option: string): void {
  const url = URL.parse(given);
  if (url === null || url.protocol !== "http:" || LOOPBACK.test(url.hostname)) return;
  throw new DefinitionError(
    `Cannot use ${withoutSecrets(url)} as ${option}: plain HTTP can be changed in transit. ` +
      "Use https, or an address of this machine.",
  );
}
