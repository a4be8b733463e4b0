import { fileURLToPath } from "node:url";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";

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
