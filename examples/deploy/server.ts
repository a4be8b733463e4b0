// server.ts: offers the jobs over HTTP. Start as many as you need, behind one proxy.
import { AsyncToolServer, jwtAuthenticator, PostgresBackend } from "@mcp-jobs/mcp-jobs";
import { generateReport } from "./jobs.ts";

const issuer = Deno.env.get("ISSUER");
const url = Deno.env.get("PUBLIC_URL") ?? "http://localhost:8000";

const server = new AsyncToolServer({
  name: "reports",
  version: "1.0.0",
  backend: await PostgresBackend.connect({ url: Deno.env.get("POSTGRES_URL") ?? "" }),
  allowedHosts: [new URL(url).hostname],
  // Without an issuer everybody who reaches the port shares all tasks: for a first try on one machine only.
  authenticate: issuer === undefined ? undefined : jwtAuthenticator({
    issuer,
    audience: `${url}/mcp`,
    jwks: Deno.env.get("JWKS") ?? `${issuer}/.well-known/jwks.json`,
  }),
});
server.registerAsyncTool(generateReport);
await server.run({
  transport: "http",
  hostname: Deno.env.get("LISTEN") ?? "127.0.0.1",
  port: Number(Deno.env.get("PORT") ?? 8000),
});
