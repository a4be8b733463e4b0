/**
 * Stands in for the issuer of tokens, which is a login service elsewhere: makes a key, and a token signed with it.
 *
 * @module
 */
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const ISSUER = "https://login.example.com/";
export const AUDIENCE = "https://jobs.example.com/mcp";

/** The environment variable in which the server finds the public key. */
export const JWKS_VARIABLE = "EXAMPLE_JWKS";

/** Makes a key, and a token for one person. */
export async function issue(person: string): Promise<{ readonly jwks: string; readonly token: string }> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const token = await new SignJWT()
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt" }).setIssuer(ISSUER).setAudience(AUDIENCE).setSubject(person)
    .setExpirationTime("10 minutes").sign(privateKey);
  return { jwks: JSON.stringify({ keys: [await exportJWK(publicKey)] }), token };
}
