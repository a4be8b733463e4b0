import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { BackendError, DefinitionError, type Identity, jwtAuthenticator, type JwtOptions } from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows, FakeTime } from "../../tools/std.ts";

const ISSUER = "https://login.example.com/";
const AUDIENCE = "https://jobs.example.com/mcp";
const METADATA = "https://jobs.example.com/.well-known/oauth-protected-resource/mcp";

const { privateKey, publicKey } = await generateKeyPair("ES256");
const other = await generateKeyPair("ES256");
const jwks = { keys: [{ ...await exportJWK(publicKey), kid: "one", alg: "ES256" }] };

interface Claims {
  readonly [name: string]: unknown;
}

/** When the tokens of these tests expire, in seconds since the epoch, unless a test says otherwise. */
const EXP = Math.floor(Date.now() / 1_000) + 300;

/** A token that is valid except for what `claims` changes. */
function sign(
  claims: Claims = {},
  key: CryptoKey | Uint8Array = privateKey,
  alg = "ES256",
  kid = "one",
  typ: string | undefined = "at+jwt",
): Promise<string> {
  return new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: "ann", exp: EXP, ...claims })
    .setProtectedHeader({ alg, kid, ...(typ !== "" && { typ }) }).sign(key);
}

/** The identity of these tests' tokens; it expires a clock skew after them. */
const ann: Identity = { principal: "user:ann", scopes: [], expiresAt: (EXP + 30) * 1_000 };

async function ask(token?: string, options: Partial<JwtOptions> = {}): Promise<Identity | Response> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return await jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwks, ...options })(
    new Request(AUDIENCE, { method: "POST", headers }),
  );
}

async function refusal(answer: Identity | Response) {
  if (!(answer instanceof Response)) throw new Error(`Let in: ${JSON.stringify(answer)}`);
  const body = await answer.json();
  return { status: answer.status, challenge: answer.headers.get("www-authenticate") ?? "", ...body };
}

Deno.test("a valid token names its principal and scopes", async () => {
  assertEquals(await ask(await sign()), ann);
  assertEquals(await ask(await sign({ scope: "jobs:run jobs:read" })), { ...ann, scopes: ["jobs:run", "jobs:read"] });
  assertEquals(await ask(await sign({ scp: ["jobs:run", 7] })), { ...ann, scopes: ["jobs:run"] });
  assertEquals(await ask(await sign({ aud: ["https://other.example.com", AUDIENCE] })), ann);
});

Deno.test("a person and an OAuth client of the same name are two principals", async () => {
  const principalOf = async (claims: Claims, options?: Partial<JwtOptions>) => {
    const identity = await ask(await sign(claims), options);
    return identity instanceof Response ? identity.status : [identity.principal, identity.client];
  };
  assertEquals(await principalOf({ client_id: "vscode" }), ["user:ann", "vscode"]);
  assertEquals(await principalOf({ azp: "vscode" }), ["user:ann", "vscode"]);
  assertEquals(await principalOf({ client_id: "ann" }), ["client:ann", "ann"]);
  assertEquals(await principalOf({ azp: "ann" }), ["client:ann", "ann"]);
  assertEquals(await principalOf({ client_id: 7, azp: "" }), ["user:ann", undefined]);
  // Nobody can choose a name that counts as one of the other kind.
  assertEquals(await principalOf({ sub: "client:ann" }), ["user:client:ann", undefined]);
  const byEmail = { principalOf: ({ email }: Claims) => String(email ?? "") };
  assertEquals(await principalOf({ email: "ann@example.com", client_id: "vscode" }, byEmail), [
    "ann@example.com",
    "vscode",
  ]);
});

Deno.test("principalOf receives all claims of the token, also those that were checked", async () => {
  const received: Claims[] = [];
  const principalOf = (claims: Claims) => `tenant:${received.push(claims)}`;
  await ask(await sign({ email: "ann@example.com" }), { principalOf });
  assertEquals(received, [{ iss: ISSUER, aud: AUDIENCE, sub: "ann", exp: EXP, email: "ann@example.com" }]);
});

Deno.test("a token that is signed with another algorithm than the options allow gets 401", async () => {
  const token = await sign();
  assertEquals(await ask(token, { algorithms: ["RS256", "ES256"] }), ann);
  const { status, error_description } = await refusal(await ask(token, { algorithms: ["RS256"] }));
  assertEquals(status, 401);
  assertStringIncludes(error_description, '"alg"');
});

Deno.test("an option that does not exist is refused when the authenticator is created", () => {
  const options = { issuer: ISSUER, audience: AUDIENCE, jwks, scope: ["jobs:run"] };
  assertThrows(() => jwtAuthenticator(options), DefinitionError, "Unknown option scope");
});

Deno.test("an error of principalOf is passed on as it is, and not reported as one of the issuer's keys", async () => {
  const token = await sign();
  const principalOf = () => {
    throw new Error("No such tenant.");
  };
  await assertRejects(() => ask(token, { principalOf }), Error, "No such tenant.");
});

Deno.test("only access tokens are accepted, and options can name another typ, or none", async () => {
  const typed = (typ: string, options?: Partial<JwtOptions>) =>
    sign({}, privateKey, "ES256", "one", typ).then((token) => ask(token, options));
  for (const typ of ["at+jwt", "AT+JWT", "application/at+jwt"]) assertEquals(await typed(typ), ann, typ);
  for (const typ of ["JWT", "", "id+jwt", "logout+jwt"]) {
    const { status, error, error_description } = await refusal(await typed(typ));
    assertEquals([status, error], [401, "invalid_token"], typ);
    assertStringIncludes(error_description, '"typ"');
  }
  assertEquals(await typed("JWT", { typ: "JWT" }), ann);
  assertEquals((await refusal(await typed("at+jwt", { typ: "JWT" }))).status, 401);
  for (const typ of ["", "JWT", "at+jwt"]) assertEquals(await typed(typ, { typ: false }), ann);
});

Deno.test("an issuer or keys over plain HTTP are refused unless they are on this machine", () => {
  const make = (options: Partial<JwtOptions>) =>
    jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwks, ...options });
  const hosts = [
    "login.example.com",
    "10.0.0.1",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "notlocalhost",
    "[::2]",
  ];
  for (const host of hosts) {
    const url = `http://${host}/keys`;
    assertThrows(() => make({ issuer: url }), DefinitionError, `Cannot use ${url} as issuer: plain HTTP`);
    for (const jwks of [url, new URL(url)]) {
      assertThrows(() => make({ jwks }), DefinitionError, `Cannot use ${url} as jwks: plain HTTP`);
    }
  }
  for (const host of ["localhost:8080", "127.0.0.1", "127.1.2.3", "[::1]:8080"]) {
    make({ issuer: `http://${host}/`, jwks: `http://${host}/keys` });
  }
  make({ issuer: "accounts.example.com" });
});

Deno.test("a request without a token gets 401 that points to the metadata document, and no error code", async () => {
  const { status, challenge } = await refusal(await ask());
  assertEquals([status, challenge], [401, `Bearer resource_metadata="${METADATA}"`]);
});

Deno.test("an expired or early token, one for or by others, and one without a principal get 401 and the reason", async () => {
  const now = Math.floor(Date.now() / 1_000);
  const cases: [Claims, string][] = [
    [{ exp: now - 60 }, '"exp"'],
    [{ nbf: now + 120 }, '"nbf"'],
    [{ aud: "https://other.example.com" }, '"aud"'],
    [{ iss: "https://evil.example.com/" }, '"iss"'],
    [{ sub: undefined }, '"sub"'],
    [{ sub: "" }, '"sub"'],
    [{ sub: 7 }, '"sub"'],
    [{ exp: undefined }, '"exp"'],
  ];
  for (const [claims, field] of cases) {
    const { status, error, error_description, challenge } = await refusal(await ask(await sign(claims)));
    assertEquals([status, error], [401, "invalid_token"], JSON.stringify(claims));
    assertStringIncludes(error_description, field);
    assertStringIncludes(
      challenge,
      `error="invalid_token", error_description="${error_description.replaceAll('"', "'")}"`,
    );
    assertStringIncludes(challenge, `resource_metadata="${METADATA}"`);
  }
});

Deno.test("clocks may differ by the skew, and by no more than that", async () => {
  const exp = Math.floor(Date.now() / 1_000) - 20;
  assertEquals(await ask(await sign({ exp })), { ...ann, expiresAt: (exp + 30) * 1_000 });
  assertEquals((await refusal(await ask(await sign({ exp }), { clockSkew: 5 }))).status, 401);
});

Deno.test("a forged token gets 401: another key, no signature, the public key as a shared secret, or no JWT", async () => {
  const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  const unsigned = `${part({ alg: "none" })}.${part({ iss: ISSUER, aud: AUDIENCE, sub: "ann", exp: 9e9 })}.`;
  const secret = new TextEncoder().encode(JSON.stringify(jwks.keys[0]));
  const forged = [await sign({}, other.privateKey), unsigned, await sign({}, secret, "HS256"), "x", "a.b.c", "é"];
  for (const token of [...forged, "x".repeat(100_000), `${await sign()}x`]) {
    const answer = await refusal(await ask(encodeURI(token)));
    assertEquals([answer.status, answer.error], [401, "invalid_token"], token.slice(0, 40));
    assert(/^[\x20-\x7e]*$/.test(answer.challenge));
  }
});

Deno.test("a token that is too long is not verified, even if it is valid", async () => {
  const { status, error, error_description } = await refusal(await ask(await sign({ more: "x".repeat(16_384) })));
  assertEquals([status, error, error_description], [401, "invalid_token", "The token is too long."]);
});

Deno.test("the description in the header has no characters that would end its quoted string", async () => {
  const { challenge } = await refusal(await ask(await sign({ exp: 1 }), { scopes: ['say "hi"\\', "é"] }));
  const values = challenge.replace(/^Bearer /, "").split(", ").map((part: string) => part.slice(part.indexOf("=") + 1));
  for (const value of values) assert(/^"[^"\\]*"$/.test(value), value);
  assertStringIncludes(challenge, `scope="say 'hi'' '"`);
});

Deno.test("a token without the required scopes gets 403, which names the missing ones", async () => {
  const options = { scopes: ["jobs:read", "jobs:run"] };
  const { status, error, error_description, challenge } = await refusal(
    await ask(await sign({ scope: "jobs:read" }), options),
  );
  assertEquals([status, error], [403, "insufficient_scope"]);
  assertStringIncludes(error_description, "jobs:run");
  assertStringIncludes(challenge, 'scope="jobs:read jobs:run"');
  const allowed = await ask(await sign({ scope: "jobs:read jobs:run" }), options);
  assert(!(allowed instanceof Response));
});

Deno.test("anybody can read the metadata document, which names the issuer", async () => {
  const authenticate = jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwks, scopes: ["jobs:run"] });
  for (const url of [METADATA, "https://jobs.example.com/.well-known/oauth-protected-resource"]) {
    const answer = await authenticate(new Request(url));
    if (!(answer instanceof Response)) throw new Error("No document.");
    assertEquals(await answer.json(), {
      resource: AUDIENCE,
      authorization_servers: [ISSUER],
      bearer_methods_supported: ["header"],
      scopes_supported: ["jobs:run"],
    });
  }
});

Deno.test("the code of any web page can read the metadata document, and only read it", async () => {
  const authenticate = jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwks });
  for (const [method, status, allow] of [["GET", 200, null], ["OPTIONS", 204, "GET"], ["POST", 405, "GET"]] as const) {
    const answer = await authenticate(new Request(METADATA, { method }));
    if (!(answer instanceof Response)) throw new Error("No document.");
    await answer.body?.cancel();
    const { headers } = answer;
    assertEquals([answer.status, headers.get("allow"), headers.get("access-control-allow-origin")], [
      status,
      allow,
      "*",
    ]);
  }
});

Deno.test("the metadata document of an endpoint without a path has no slash at its end", async () => {
  const audience = "https://jobs.example.com/";
  const { challenge } = await refusal(await ask(undefined, { audience }));
  const url = "https://jobs.example.com/.well-known/oauth-protected-resource";
  assertEquals(challenge, `Bearer resource_metadata="${url}"`);
});

Deno.test("keys are read from the issuer's URL, and a failure to read them is not blamed on the token", async () => {
  let up = false;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => up ? Response.json(jwks) : new Response("<html>Down for repair</html>"),
  );
  const url = `http://127.0.0.1:${server.addr.port}/jwks`;
  const said = `Cannot check a token: the issuer's keys cannot be read from ${url}: `;
  const token = await sign();
  const unread = await assertRejects(() => ask(token, { jwks: url }), BackendError, said);
  assert(unread.cause instanceof Error);
  up = true;
  for (const jwks of [url, new URL(url)]) assertEquals(await ask(token, { jwks }), ann);
  const secret = `http://reader:hunter2@127.0.0.1:${server.addr.port}/jwks?key=hunter3`;
  assertEquals(await ask(token, { jwks: secret }), ann);
  await server.shutdown();
  for (const jwks of [url, new URL(url)]) await assertRejects(() => ask(token, { jwks }), BackendError, said);
  const { message } = await assertRejects(() => ask(token, { jwks: secret }), BackendError, said);
  assert(!message.includes("hunter"), message);
  const refused = () =>
    jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwks: "http://u:hunter2@idp.example/?k=hunter3" });
  assert(!assertThrows(refused, DefinitionError, "http://idp.example/ as jwks").message.includes("hunter"));
});

Deno.test("an issuer that sends no key set, or does not answer in time, is not blamed on the token", async () => {
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<Response>()];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, ({ url }) => {
    if (url.endsWith("/none")) return Response.json({ keys: "soon" });
    asked.resolve();
    return answer.promise;
  });
  const token = await sign();
  const askFor = (path: string) =>
    assertRejects(() => ask(token, { jwks: `http://127.0.0.1:${server.addr.port}/${path}` }), BackendError, "keys");
  await askFor("none");
  {
    using time = new FakeTime();
    const silent = askFor("silent");
    await asked.promise;
    time.tick(5_000); // For so long jose waits.
    await silent;
  }
  answer.resolve(new Response());
  await server.shutdown();
});

Deno.test("after the issuer changes its key, the new one is read and the old one is refused", async () => {
  let current = jwks;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => Response.json(current));
  const authenticate = jwtAuthenticator({
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks: `http://127.0.0.1:${server.addr.port}/jwks`,
  });
  const bearer = async (token: string) =>
    await authenticate(new Request(AUDIENCE, { method: "POST", headers: { authorization: `Bearer ${token}` } }));
  assertEquals(await bearer(await sign()), ann);
  current = { keys: [{ ...await exportJWK(other.publicKey), kid: "two", alg: "ES256" }] };
  // An unknown key causes at most one request every 5 s: otherwise anybody could make us flood the issuer. Some issuers sign
  // with a new key at once, and their users cannot log in meanwhile.
  assertEquals((await refusal(await bearer(await sign({}, other.privateKey, "ES256", "two")))).status, 401);
  {
    using _later = new FakeTime(Date.now() + 6_000);
    assertEquals(await bearer(await sign({}, other.privateKey, "ES256", "two")), ann);
    assertEquals((await refusal(await bearer(await sign()))).status, 401);
  }
  await server.shutdown();
});

Deno.test("keys that can never be read are refused when the authenticator is created", () => {
  const options = { issuer: ISSUER, audience: AUDIENCE };
  for (const jwks of ["login.example.com/keys", "", { keys: {} }] as unknown as JwtOptions["jwks"][]) {
    assertThrows(() => jwtAuthenticator({ ...options, jwks }), DefinitionError, "as jwks");
  }
});

Deno.test("an audience that is not a URL needs a resource that is one", async () => {
  const options = { issuer: ISSUER, audience: "jobs", jwks };
  assertThrows(() => jwtAuthenticator(options), DefinitionError, 'Cannot use "jobs" as resource');
  const answer = await jwtAuthenticator({ ...options, resource: AUDIENCE })(new Request(AUDIENCE));
  assertStringIncludes((await refusal(answer)).challenge, METADATA);
});
