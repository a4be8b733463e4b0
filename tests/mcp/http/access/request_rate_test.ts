import { type AuditEvent, type Authenticate, MemoryBackend } from "../../../../mod.ts";
import { RequestRate } from "../../../../src/mcp/http/request_rate.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { Raw } from "../support/raw.ts";

/** The token is the principal's name. */
const byName: Authenticate = ({ headers }) => ({
  principal: headers.get("authorization")?.slice("Bearer ".length) ?? "",
});

async function statusOf(sent: Promise<Response>): Promise<number> {
  const response = await sent;
  await response.body?.cancel();
  return response.status;
}

Deno.test("requests that reach no task count against their principal's limit: lists, malformed ones, unknown sessions", async () => {
  const events: AuditEvent[] = [];
  await using server = fixtureServer("operation", new MemoryBackend(), {
    authenticate: byName,
    limits: { requestsPerMinute: 6 },
    audit: (event) => events.push(event),
  });
  const raw = await Raw.open(server.fetch, "ann"); // This counts as two requests.
  const unknown = new Raw(server.fetch, "ann");
  unknown.session = crypto.randomUUID();
  assertEquals(await statusOf(raw.post("tools/list")), 200);
  assertEquals(await statusOf(raw.send({ method: "POST", body: "[]" })), 400);
  assertEquals(await statusOf(unknown.post("tasks/get", { taskId: "nope" })), 404);
  assertEquals(await statusOf(unknown.send({ method: "GET" })), 404);
  const response = await raw.post("ping");
  const { error } = await response.json();
  const retryAfter = Number(response.headers.get("retry-after"));
  assertEquals([response.status, retryAfter >= 1 && retryAfter <= 10], [429, true]);
  assertEquals([error.code, error.data], [-32005, {
    limit: "requestsPerMinute",
    retryAfterMs: error.data.retryAfterMs,
  }]);
  const { operation, principal, reason = "" } = events.at(-1) ?? {};
  assertEquals([operation, principal, reason.slice(0, 8)], ["request", "ann", "HTTP 429"]);
  assertEquals(await statusOf(new Raw(server.fetch, "bob").send({ method: "POST", body: "[]" })), 400);
});

Deno.test("requests of anonymous callers count against their address, and /healthz never counts", async () => {
  await using server = fixtureServer("operation", new MemoryBackend(), { limits: { requestsPerMinute: 1 } });
  const from = (hostname: string) => new Raw((request) => server.fetch(request, { remoteAddr: { hostname } }));
  const malformed = (raw: Raw) => statusOf(raw.send({ method: "POST", body: "[]" }));
  assertEquals(await malformed(from("192.0.2.1")), 400);
  assertEquals(await malformed(from("192.0.2.1")), 429);
  assertEquals(await malformed(from("192.0.2.2")), 400);
  const health = () =>
    statusOf(server.fetch(new Request("http://localhost/healthz"), { remoteAddr: { hostname: "192.0.2.1" } }));
  assertEquals([await health(), await health()], [200, 200]);
});

Deno.test("a large body counts as several requests, and no body is read of a caller who is over the limit", async () => {
  await using server = fixtureServer("operation", new MemoryBackend(), { limits: { requestsPerMinute: 20 } });
  const raw = new Raw(server.fetch);
  assertEquals(await statusOf(raw.send({ method: "POST", body: " ".repeat(20 * 65_536) })), 400);
  let isRead = false;
  const body = new ReadableStream({ pull: () => void (isRead = true) }, { highWaterMark: 0 });
  assertEquals(await statusOf(raw.send({ method: "POST", body })), 429);
  assertEquals(isRead, false);
});

Deno.test("a body of many items counts as more requests than a text of the same size, because it takes more time", async () => {
  await using server = fixtureServer("operation", new MemoryBackend(), {
    authenticate: byName,
    limits: { requestsPerMinute: 20 },
  });
  for (
    const [name, body, after] of [["ann", `"${"x".repeat(40_000)}"`, 400], [
      "bob",
      `[${"1,".repeat(20_000)}1]`,
      429,
    ]] as const
  ) {
    const raw = new Raw(server.fetch, name);
    assertEquals(await statusOf(raw.send({ method: "POST", body })), 400);
    assertEquals(await statusOf(raw.send({ method: "POST", body: "[]" })), after);
  }
});

Deno.test("the next request waits for what a large body used up", () => {
  let now = 0;
  const rate = new RequestRate(60, () => now);
  const isAdmitted = () => rate.admit("ann") === undefined;
  assertEquals(isAdmitted(), true);
  rate.charge("ann", 65_535);
  rate.charge("ann", 100 * 65_536);
  assertEquals(isAdmitted(), false);
  now = 41_000;
  assertEquals(isAdmitted(), false);
  now = 42_000;
  assertEquals([isAdmitted(), isAdmitted()], [true, false]);
});
