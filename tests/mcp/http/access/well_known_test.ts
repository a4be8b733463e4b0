import {
  AsyncToolServer,
  type AuditEvent,
  type Authenticate,
  MemoryBackend,
  OperationResourceStrategy,
} from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { serveHttp } from "../../../interop/support/client.ts";

const PATHS = [
  "/.well-known/oauth-protected-resource",
  "/.well-known/oauth-protected-resource/mcp",
  "/.well-known/oauth-authorization-server",
  "/.well-known/openid-configuration/mcp",
];

Deno.test("a server without authentication answers at once that it has no metadata of a protected resource", async () => {
  await using http = await serveHttp("operation");
  for (const path of PATHS) {
    for (const accept of ["application/json", "text/event-stream", "*/*"]) {
      const response = await fetch(new URL(path, http.url), {
        headers: { accept, "mcp-protocol-version": "2025-11-25" },
      });
      const { error } = await response.json();
      const type = response.headers.get("content-type");
      assertEquals([response.status, type, error], [404, "application/json", "not_found"], `${path} ${accept}`);
    }
  }
});

const everybody: Authenticate = () => ({ principal: "everybody" });
const nobody: Authenticate = () => new Response(null, { status: 401 });

for (
  const [what, authenticate, status] of [["none", undefined, 404], ["one that knows no metadata", everybody, 404], [
    "one that refuses",
    nobody,
    401,
  ]] as const
) {
  Deno.test(`server.fetch answers for the metadata with ${status} where authenticate is ${what}`, async () => {
    const [backend, strategy] = [new MemoryBackend(), new OperationResourceStrategy()];
    await using server = new AsyncToolServer({ name: "open", version: "1.0.0", backend, strategy, authenticate });
    for (const path of PATHS) {
      for (const method of ["GET", "POST", "OPTIONS"]) {
        const response = await server.fetch(new Request(`http://localhost${path}`, { method }));
        await response.body?.cancel();
        assertEquals(response.status, status, `${method} ${path}`);
      }
    }
  });
}

Deno.test("a document that authenticate answers with is passed on, and is no refusal in the audit log", async () => {
  const [backend, strategy] = [new MemoryBackend(), new OperationResourceStrategy()];
  const authenticate: Authenticate = () => Response.json({ resource: "http://localhost/mcp" });
  const events: string[] = [];
  const audit = ({ event }: AuditEvent) => void events.push(event);
  await using server = new AsyncToolServer({ name: "open", version: "1.0.0", backend, strategy, authenticate, audit });
  const response = await server.fetch(new Request(`http://localhost${PATHS[0]}`));
  assertEquals([await response.json(), events], [{ resource: "http://localhost/mcp" }, []]);
});
