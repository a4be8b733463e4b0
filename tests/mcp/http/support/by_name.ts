import type { Identity } from "../../../../mod.ts";

/** Authenticates a request whose token is the name of its principal. */
export function byName({ headers }: Request): Identity | Response {
  const [, principal] = /^Bearer (.+)$/.exec(headers.get("authorization") ?? "") ?? [];
  return principal === undefined ? new Response(null, { status: 401 }) : { principal };
}
