/**
 * From the claims of an access token to the identity of the caller.
 *
 * @module
 */
import type { Identity } from "./authenticate.ts";

/** The claims of a valid token. */
export interface JwtClaims {
  /** The subject: a person, or an OAuth client. */
  readonly sub: string;
  /** When the token expires, in seconds since the epoch. */
  readonly exp: number;
  /** All other claims. */
  readonly [name: string]: unknown;
}

/** The identity of a caller with a valid token. */
export function identityOf(
  claims: JwtClaims,
  principalOf: (claims: JwtClaims) => string = principalOfSubject,
): Identity {
  const [client] = clientsOf(claims);
  const { scope, scp } = claims;
  return { principal: principalOf(claims), scopes: scopesOf(scope ?? scp), ...(client !== undefined && { client }) };
}

/** RFC 9068, section 2.2: a client that acts for itself, not for a person, has its own id as `sub`. */
function principalOfSubject(claims: JwtClaims): string {
  return `${clientsOf(claims).includes(claims.sub) ? "client" : "user"}:${claims.sub}`;
}

/** The ids of the OAuth client: `client_id` in RFC 9068, `azp` in OpenID Connect. */
function clientsOf({ client_id, azp }: JwtClaims): readonly string[] {
  return [client_id, azp].filter((id): id is string => typeof id === "string" && id !== "");
}

/** RFC 6749 has one string, separated by spaces; some issuers send a list. */
function scopesOf(claim: unknown): readonly string[] {
  if (typeof claim === "string") return claim.split(" ").filter(Boolean);
  return Array.isArray(claim) ? claim.filter((scope) => typeof scope === "string") : [];
}
