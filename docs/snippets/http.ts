// http.ts: offers the jobs over HTTP to callers with a token.
import { AsyncToolServer, DenoKvBackend, jwtAuthenticator } from "@mcp-jobs/mcp-jobs";
import { generateReport } from "./jobs.ts";

const server = new AsyncToolServer({
  name: "reports",
  version: "1.0.0",
  backend: await DenoKvBackend.open({ path: "./data/jobs.kv" }),
  authenticate: jwtAuthenticator({
    issuer: "https://login.example.com/",
    audience: "https://jobs.example.com/mcp",
    jwks: "https://login.example.com/.well-known/jwks.json",
  }),
  allowedHosts: ["jobs.example.com"],
  limits: { openTasks: 20 },
});
server.registerAsyncTool(generateReport);
await server.run({ transport: "http", port: Number(Deno.env.get("PORT") ?? 8000) });
