import { DefinitionError, JobsError, MemoryBackend } from "../../mod.ts";
import { serveDashboard } from "../../dashboard.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tools/std.ts";

Deno.test("the page has a new token each time, which cannot be guessed, and ends when it is disposed of", async () => {
  await using backend = new MemoryBackend();
  const [one, other] = [await serveDashboard(backend), await serveDashboard(backend)];
  for (const { url } of [one, other]) assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{32}$/);
  assert(new URL(one.url).hash !== new URL(other.url).hash);
  for (const dashboard of [one, other]) {
    const finished = dashboard.finished.then(() => "finished");
    await dashboard[Symbol.asyncDispose]();
    assertEquals(await finished, "finished");
    await assertRejects(() => fetch(new URL(dashboard.url).origin), TypeError);
  }
});

Deno.test("a port that is taken, and a token that can be guessed, are refused", async () => {
  await using backend = new MemoryBackend();
  await using dashboard = await serveDashboard(backend, { token: "chosen-and-long-enough" });
  assert(dashboard.url.endsWith("#token=chosen-and-long-enough"));
  const port = Number(new URL(dashboard.url).port);
  await assertRejects(() => serveDashboard(backend, { port }), JobsError, "the port is taken");
  for (const token of ["", "short", "with spaces in it, and long"]) {
    await assertRejects(() => serveDashboard(backend, { token }), DefinitionError, "at least 16");
  }
});

Deno.test("the page listens on 127.0.0.1 alone, and needs a backend", async () => {
  await using backend = new MemoryBackend();
  await using dashboard = await serveDashboard(backend);
  const port = Number(new URL(dashboard.url).port);
  // Every address of 127.0.0.0/8 reaches a server that listens on all addresses.
  for (const hostname of ["127.0.0.2", "::1"]) await assertRejects(() => Deno.connect({ hostname, port }), Error);
  (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  await assertRejects(() => serveDashboard(undefined as never), DefinitionError, "backend of serveDashboard");
});
