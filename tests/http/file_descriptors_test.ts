import { fileURLToPath } from "node:url";
import { assertStringIncludes } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";
import { Connection } from "./support/connection.ts";

/** So many file descriptors the server may have; it needs some of them itself. */
const FILES = 80;

const missing = Deno.build.os === "windows" ? "only a shell of Unix limits file descriptors" : undefined;

testUnless(
  missing,
  "a server that has run out of file descriptors accepts connections again once it has some",
  async () => {
    const script = fileURLToPath(new URL("support/few_files_server.ts", import.meta.url));
    const server = new Deno.Command("sh", {
      args: ["-c", `ulimit -n ${FILES} && exec "$0" run --quiet --allow-net "$1"`, Deno.execPath(), script],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = Number((await lines.read()).value);
    const many = await Promise.all(
      Array.from({ length: 2 * FILES }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    for (const conn of many) conn.close();
    const answer = () =>
      fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) }).then(
        (response) => response.text(),
        () => "",
      );
    await until(async () => await answer() === "ok", "the server answers again");
    await server.stdin.close();
    await lines.cancel();
    await server.status;
  },
);

testUnless(
  missing,
  "a server that has run out of file descriptors writes its first audit line, and goes on",
  async () => {
    const script = fileURLToPath(new URL("../server/audited_server.ts", import.meta.url));
    await using server = new Deno.Command("sh", {
      args: [
        "-c",
        `ulimit -n ${FILES} && exec "$0" run --quiet --allow-all --unstable-kv "$1"`,
        Deno.execPath(),
        script,
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [url, log] = [server.stdout, server.stderr].map((stream) =>
      stream.pipeThrough(new TextDecoderStream()).getReader()
    );
    const { port, host } = new URL(String((await url?.read())?.value).trim());
    const all: Connection[] = [];
    for (let i = 0; i < 2 * FILES; i++) all.push(await Connection.open(Number(port)));
    await all[0]?.send(
      `POST /mcp HTTP/1.1\r\nhost: ${host}\r\norigin: http://example.com\r\ncontent-length: 0\r\n\r\n`,
    );
    const answer = await all[0]?.read((text) => text.includes("\r\n\r\n"));
    for (const connection of all) connection[Symbol.dispose]();
    assertStringIncludes(answer ?? "", "HTTP/1.1 403");
    assertStringIncludes(String((await log?.read())?.value), '"event":"refused"');
    server.kill("SIGTERM");
    await Promise.all([url?.cancel(), log?.cancel()]);
  },
);
