import { AsyncToolServer, DefinitionError, MemoryBackend, PollingExposureStrategy } from "../../../../mod.ts";
import { allowedHosts, isThisMachine, nameOfAddress, refuseHost } from "../../../../src/mcp/http/hosts.ts";
import { Connection } from "../../../http/support/connection.ts";
import { serveHttp } from "../../../interop/support/client.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../../../tools/std.ts";

/** The status of a request with these headers; 200 if it is accepted. */
function statusOf(headers: Record<string, string>, hosts: string[], url = "http://10.0.0.7/mcp"): number {
  return refuseHost(new Request(url, { headers }), new URL(url), hosts)?.status ?? 200;
}

Deno.test("the names of this machine are allowed, however they are written, and no others", () => {
  const hosts = allowedHosts();
  const good = ["localhost", "LOCALHOST:8000", "127.0.0.1:9", "[::1]:8000", "[0:0:0:0:0:0:0:1]"];
  assertEquals(good.map((host) => statusOf({ host }, hosts)), good.map(() => 200));
  const bad = [
    "evil.com",
    "localhost.evil.com",
    "localhost@evil.com",
    "localhost.",
    "0.0.0.0",
    "::1",
    "a b",
    "x:99999",
  ];
  assertEquals(bad.map((host) => statusOf({ host }, hosts)), bad.map(() => 403));
});

Deno.test("a web page of another name is refused, and so is one that hides its name", () => {
  const hosts = allowedHosts();
  const good = ["http://localhost:3000", "HTTPS://LOCALHOST", "http://[::1]:5"];
  assertEquals(good.map((origin) => statusOf({ host: "localhost", origin }, hosts)), good.map(() => 200));
  const bad = ["https://evil.com", "null", "file://", "http://localhost.evil.com", "moz-extension://abc", "garbage"];
  assertEquals(bad.map((origin) => statusOf({ host: "localhost", origin }, hosts)), bad.map(() => 403));
});

Deno.test("over HTTP/2, which has no Host header, the name in the URL counts", () => {
  const hosts = allowedHosts();
  assertEquals(statusOf({}, hosts, "https://localhost/mcp"), 200);
  assertEquals(statusOf({}, hosts, "https://evil.com/mcp"), 403);
});

Deno.test("an allowed host is allowed however it is written; anything but a host name is an error at once", () => {
  const hosts = allowedHosts(["Jobs.Example.com", "[2001:DB8::0:1]"]);
  const good = ["jobs.example.com", "JOBS.example.com:443", "[2001:db8::1]"];
  assertEquals(good.map((host) => statusOf({ host, origin: `https://${host}` }, hosts)), good.map(() => 200));
  const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
  const bad = ["jobs.example.com:8443", "https://jobs.example.com", "jobs.example.com/mcp", "2001:db8::1", "", "*"];
  for (const host of bad) {
    const options = { name: "hosts", version: "1.0.0", backend, strategy, allowedHosts: ["ok.example.com", host] };
    const text = `Cannot allow the host ${JSON.stringify(host)}`;
    assertThrows(() => new AsyncToolServer(options), DefinitionError, text);
  }
});

Deno.test("a Host header that makes no valid URL is 400, not an internal error", async () => {
  await using http = await serveHttp("polling");
  for (const host of ["::1", "localhost:99999", "a b", "%"]) {
    using client = await Connection.open(Number(http.url.port));
    const request =
      `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
    await client.send(request);
    assertStringIncludes(await client.read((text) => text.includes("\r\n")), "HTTP/1.1 400 Bad Request");
  }
});

Deno.test("a body that ends too early is 400, not an internal error", async () => {
  const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
  await using server = new AsyncToolServer({ name: "broken", version: "1.0.0", backend, strategy });
  const json = { "content-type": "application/json" };
  const all: Record<string, string>[] = [{ ...json, "content-length": "100" }, json];
  for (const headers of all) {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("The client is gone.")) });
    const response = await server.fetch(new Request("http://localhost/mcp", { method: "POST", headers, body }));
    assertEquals([response.status, (await response.json()).error.code], [400, -32700]);
  }
});

Deno.test("an address is named as URLs write it, and all addresses of a machine are named localhost", () => {
  const names = {
    "127.0.0.2": "127.0.0.2",
    "192.168.1.5": "192.168.1.5",
    "::1": "[::1]",
    "[::1]": "[::1]",
    "2001:DB8::0:1": "[2001:db8::1]",
    "Jobs.Example.com": "jobs.example.com",
    "0.0.0.0": "localhost",
    "0": "localhost",
    "::": "localhost",
    "[0:0::0]": "localhost",
    "::ffff:0.0.0.0": "localhost",
  };
  for (const [hostname, name] of Object.entries(names)) assertEquals(nameOfAddress(hostname), name);
});

Deno.test("only 127.0.0.0/8, ::1 and localhost are addresses that no other machine reaches", () => {
  const own = [
    "localhost",
    "127.0.0.1",
    "127.1",
    "127.0.0.2",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "[::FFFF:127.255.0.9]",
  ];
  const others = [
    "0.0.0.0",
    "::",
    "192.168.1.5",
    "jobs.example.com",
    "notlocalhost",
    "127.0.0.example.com",
    "127.0.0.0.1.com",
    "::ffff:128.0.0.1",
    "::7f00:1",
  ];
  assertEquals(own.filter((address) => !isThisMachine(address)), []);
  assertEquals(others.filter(isThisMachine), []);
});

Deno.test("a server may be called by the address it listens on; on all addresses, only by the names of this machine", () => {
  const hosts = ["localhost:9", "127.0.0.1:9", "[::1]:9"];
  const others = ["192.168.1.5:9", "0.0.0.0:9", "[::]:9", "evil.com:9"];
  const statuses = (hostname: string, names: readonly string[]) =>
    names.map((host) => statusOf({ host, origin: `http://${host}` }, allowedHosts([], hostname)));
  assertEquals(statuses("192.168.1.5", [...hosts, ...others]), [200, 200, 200, 200, 403, 403, 403]);
  for (const all of ["0.0.0.0", "::"]) {
    assertEquals(statuses(all, [...hosts, ...others]), [200, 200, 200, 403, 403, 403, 403]);
  }
});

for (const hostname of ["0.0.0.0", "127.0.0.2"]) {
  // On other systems only 127.0.0.1 exists without set-up.
  const ignore = hostname === "127.0.0.2" && Deno.build.os === "darwin";
  Deno.test({ name: `the URL that is told to who listens on ${hostname} answers`, ignore }, async () => {
    const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
    await using server = new AsyncToolServer({ name: "told", version: "1.0.0", backend, strategy });
    const { promise: address, resolve } = Promise.withResolvers<string>();
    const running = server.run({ transport: "http", hostname, port: 0, onListen: resolve });
    const answer = await fetch(await address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{",
    });
    assertEquals((await answer.json()).error.code, -32700);
    await server.close();
    await running;
  });
}

Deno.test("the refusal of a name says what to do about it", async () => {
  const url = "http://10.0.0.7/mcp";
  const host = "Invalid Host: 0.0.0.0. If requests may come with this name, add it to `allowedHosts`.";
  const origin =
    "Invalid Origin: app.example.com. If pages of this origin may call, add it to `allowedOrigins`; if it is " +
    "a name of this server, to `allowedHosts`.";
  const foreign: Record<string, Record<string, string>> = {
    [host]: { host: "0.0.0.0:8000" },
    [origin]: { host: "localhost", origin: "https://app.example.com" },
  };
  for (const [text, headers] of Object.entries(foreign)) {
    const refused = refuseHost(new Request(url, { headers }), new URL(url), allowedHosts());
    assertEquals((await refused?.json()).error.message, text);
  }
});
