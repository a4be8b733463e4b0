/** Serves over HTTP. Every caller needs a token, and sees their own tasks from any client. */
import { AsyncToolServer, jwtAuthenticator, OperationResourceStrategy } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";
import { AUDIENCE, ISSUER, JWKS_VARIABLE } from "./token.ts";

const server = new AsyncToolServer({
  name: "http",
  version: "1.0.0",
  backend: await openBackend(),
  strategy: new OperationResourceStrategy({ notifications: true }),
  // A real server passes the URL of its issuer's key set here.
  authenticate: jwtAuthenticator({
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks: JSON.parse(Deno.env.get(JWKS_VARIABLE) ?? '{"keys":[]}'),
  }),
  limits: { openTasks: 20 },
});
server.registerAsyncTool(generateReport);
await server.run({ transport: "http", port: 0, onListen: (url) => console.log(url) });
