import type { Backend } from "../../backend.ts";
import { hasToken } from "../../src/dashboard/access.ts";
import { answer, type Served } from "../../src/dashboard/handler.ts";
import { Histories } from "../../src/dashboard/history/histories.ts";
import type { PageStream } from "../../src/dashboard/stream.ts";
import { BackendError, JobsError } from "../../mod.ts";
import { Samples } from "../../src/dashboard/samples.ts";
import { assert, assertEquals, assertMatch } from "../../tools/std.ts";
import { countsOf, listing } from "./support/tasks.ts";

const PORT = 7000;

/** A page of which only what nothing is read for is asked. */
function served(paused: string[] = []): Served {
  const operator = {
    ...listing(() => Promise.resolve({ tasks: [] })),
    workers: () => Promise.resolve([]),
    counts: () => Promise.resolve([countsOf({})]),
    pause: (job: string) => {
      paused.push(job);
      return Promise.resolve([]);
    },
  };
  const backend: Pick<Backend, "watch"> = { watch: () => () => {} };
  return {
    backend: backend as Backend,
    operator,
    token: "right",
    samples: new Samples(0),
    histories: new Histories(),
    streams: new Set(),
  };
}

/** The status of the answer to a request of a page at this origin. */
async function statusOf(
  path: string,
  { method = "GET", host = `127.0.0.1:${PORT}`, origin, token = "right" }: {
    readonly method?: string;
    readonly host?: string;
    readonly origin?: string;
    readonly token?: string;
  } = {},
  paused?: string[],
): Promise<number> {
  const headers = { host, ...(origin !== undefined && { origin }), authorization: `Bearer ${token}` };
  const response = await answer(new Request(`http://${host}${path}`, { method, headers }), PORT, served(paused));
  await response.body?.cancel();
  return response.status;
}

Deno.test("without the token nothing can be read or done; only the page itself is public, and it has no tasks", async () => {
  const paused: string[] = [];
  const origin = `http://127.0.0.1:${PORT}`;
  assertEquals(await statusOf("/", { token: "wrong" }), 200);
  assertEquals(await statusOf("/app.js", { token: "" }), 200);
  for (const token of ["", "wrong", "Right", "righ"]) {
    assertEquals(await statusOf("/api/live?view=overview", { token }), 401);
    assertEquals(await statusOf("/api/jobs/report/pause", { token, method: "POST", origin }, paused), 401);
  }
  assertEquals(await statusOf("/api/live?view=overview"), 200);
  assertEquals(await statusOf("/api/jobs/report/pause", { method: "POST", origin }, paused), 200);
  assertEquals(paused, ["report"]);
  const headers = { authorization: "right" };
  assert(!hasToken(new Request("http://127.0.0.1/", { headers }), "right"));
});

Deno.test("a request to another host name is refused even with the token, because of DNS rebinding", async () => {
  for (
    const host of ["evil.example:7000", "127.0.0.1", "127.0.0.1:7001", "localhost.evil.example:7000", "", "[::1]:7000"]
  ) {
    for (const path of ["/", "/api/live?view=overview"]) {
      const request = new Request(`http://127.0.0.1:${PORT}${path}`, {
        headers: { host, authorization: "Bearer right" },
      });
      assertEquals((await answer(request, PORT, served())).status, 403, host);
    }
  }
  assertEquals(await statusOf("/api/live?view=overview", { host: `localhost:${PORT}` }), 200);
});

Deno.test("a request from a page of another origin is refused, and one that changes something must come from the page", async () => {
  const paused: string[] = [];
  const post = (origin?: string) => statusOf("/api/jobs/report/pause", { method: "POST", origin }, paused);
  for (const origin of ["http://evil.example", "null", `http://localhost:${PORT}`, `https://127.0.0.1:${PORT}`]) {
    assertEquals(await post(origin), 403, origin);
    assertEquals(await statusOf("/api/live?view=overview", { origin }), 403, origin);
  }
  assertEquals(await post(), 403);
  assertEquals(paused, []);
  assertEquals(await post(`http://127.0.0.1:${PORT}`), 200);
});

Deno.test("nothing may frame the page, load into it or learn its address, and nothing is cached", async () => {
  const headers = { host: `127.0.0.1:${PORT}` };
  for (const path of ["/", "/api/nothing"]) {
    const response = await answer(new Request(`http://127.0.0.1:${PORT}${path}`, { headers }), PORT, served());
    assertMatch(response.headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self'/);
    assertEquals(response.headers.get("referrer-policy"), "no-referrer");
    assertEquals(response.headers.get("x-frame-options"), "DENY");
    assertEquals(response.headers.get("cache-control"), "no-store");
    await response.body?.cancel();
  }
});

Deno.test("unknown and malformed requests are refused", async () => {
  const origin = `http://127.0.0.1:${PORT}`;
  assertEquals(await statusOf("/nothing"), 404);
  assertEquals(await statusOf("/other/live?view=overview"), 404);
  assertEquals(await statusOf("/api/live?view=nothing"), 404);
  assertEquals(await statusOf("/api/jobs/report/constructor", { method: "POST", origin }), 404);
  assertEquals(await statusOf("/api/jobs/%E0%A4/pause", { method: "POST", origin }), 400);
  assertEquals(await statusOf("/api/live", { method: "DELETE", origin }), 405);
});

Deno.test("the files of the page have the types that browsers demand, since they may not guess", async () => {
  const types = [["/", "text/html"], ["/app.js", "text/javascript"], ["/style.css", "text/css"]] as const;
  for (const [path, type] of types) {
    const request = new Request(`http://127.0.0.1:${PORT}${path}`, { headers: { host: `127.0.0.1:${PORT}` } });
    const response = await answer(request, PORT, served());
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("content-type")], [200, `${type}; charset=utf-8`]);
  }
});

/** The answer to a person who pauses a job. */
function pausing(of: Served): Promise<Response> {
  const headers = { host: `127.0.0.1:${PORT}`, origin: `http://127.0.0.1:${PORT}`, authorization: "Bearer right" };
  return answer(new Request(`http://127.0.0.1:${PORT}/api/jobs/report/pause`, { method: "POST", headers }), PORT, of);
}

Deno.test("after an action each open view is read again, because not every action has an event", async () => {
  let refreshed = 0;
  const stream = { refresh: () => refreshed++ } as Partial<PageStream> as PageStream;
  assertEquals((await pausing({ ...served(), streams: new Set([stream]) })).status, 200);
  assertEquals(refreshed, 1);
});

Deno.test("an action tells a store that fails from a refusal and from an error of ours", async () => {
  const errors = [[new BackendError("away"), 503], [new JobsError("no"), 409], [new Error("oh"), 500]] as const;
  for (const [error, status] of errors) {
    const of = served();
    const response = await pausing({ ...of, operator: { ...of.operator, pause: () => Promise.reject(error) } });
    assertEquals([response.status, await response.json()], [status, { error: error.message }]);
  }
});
