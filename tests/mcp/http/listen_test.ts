import { listen } from "../../../src/mcp/http/listen.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { unexpected } from "../../support/errors.ts";

Deno.test("a server that ends refuses connections before its streams end, so that a proxy takes another server", async () => {
  const end = new AbortController();
  const listening = Promise.withResolvers<string>();
  const streams = Promise.withResolvers<void>();
  const came = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  const ended = listen(
    {
      port: 0,
      hostname: "127.0.0.1",
      onListen: (url) => listening.resolve(url),
      onError: unexpected,
      signal: end.signal,
    },
    async () => {
      came.resolve();
      await streams.promise;
      return new Response("sent");
    },
    () => {
      closing.resolve();
      return streams.promise;
    },
  );
  const url = await listening.promise;
  const answer = fetch(url);
  await came.promise;
  end.abort();
  await closing.promise;
  const { hostname, port } = new URL(url);
  await assertRejects(() => Deno.connect({ hostname, port: Number(port) }), Deno.errors.ConnectionRefused);
  streams.resolve();
  assertEquals(await (await answer).text(), "sent");
  await ended;
});
