/**
 * From what an access token says to who calls.
 *
 * @module
 */
import type { Identity } from "./authenticate.ts";

/** What a good token says. */
export interface JwtClaims {
  /** Whom it stands for: a person, or an OAuth client. */
  readonly sub: string;
  /** When it ends, in s since the epoch. */
  readonly exp: number;
  /** Whatever else it says. */
  readonly [name: string]: unknown;
}

/** Who calls with a good token. */
export function identityOf(
  claims: JwtClaims,
  principalOf: (claims: JwtClaims) => string = principalOfSubject,
): Identity {
  const [client] = clientsOf(claims);
  const { scope, scp } = claims;
  return { principal: principalOf(claims), scopes: scopesOf(scope ?? scp), ...(client !== undefined && { client }) };
}

/** RFC 9068, section 2.2: a client that acts for itself, and for no person, has its own id as `sub`. */
function principalOfSubject(claims: JwtClaims): string {
  return `${clientsOf(claims).includes(claims.sub) ? "client" : "user"}:${claims.sub}`;
}

/** The ids of the OAuth client: RFC 9068 has `client_id`, OpenID Connect `azp`. */
function clientsOf({ client_id, azp }: JwtClaims): readonly string[] {
  return [client_id, azp].filter((id): id is string => typeof id === "string" && id !== "");
}

/** RFC 6749 has one text with spaces; some issuers send a list. */
function scopesOf(claim: unknown): readonly string[] {
  if (typeof claim === "string") return claim.split(" ").filter(Boolean);
  return Array.isArray(claim) ? claim.filter((scope) => typeof scope === "string") : [];
}
