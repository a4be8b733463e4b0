// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { freePort } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ROOT = new URL("../../", import.meta.url);
const HERE = new URL("examples/deploy/", ROOT);
const UNITS = ["reports-server.service", "reports-worker@.service"];
const readFile = (path: string) => Deno.readTextFile(new URL(path, HERE));

/** The parts of the compose file that are read here. */
interface Compose {
  readonly services: { readonly [name: string]: Service };
}

interface Service {
  readonly command?: readonly string[];
  readonly environment?: { readonly [name: string]: string };
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: { readonly [name: string]: unknown };
}

const { services }: Compose = parse(await readFile("compose.yaml"), { merge: true });

/** What the image starts where the compose file says nothing else. */
const [, cmd = "[]"] = /^CMD (.+)$/m.exec(await readFile("Dockerfile")) ?? [];

/** The arguments of Deno by which a service runs. */
function commandOf(name: string): readonly string[] {
  return services[name]?.command ?? JSON.parse(cmd);
}

Deno.test("deploy: the image holds what it copies and what its services start", async () => {
  const copied = [...(await readFile("Dockerfile")).matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, files = ""]) =>
    files.split(" ")
  );
  assert(copied.length > 0);
  for (const file of copied) await Deno.stat(new URL(file, ROOT));
  for (const name of ["migrate", "server", "worker"]) {
    const file = commandOf(name).find((arg) => arg.endsWith(".ts")) ?? "";
    const isCopied = copied.some((each) => file === each || file.startsWith(`${each}/`));
    assert(isCopied, `${name} starts ${file}, which is not copied.`);
    await Deno.stat(new URL(file, ROOT));
  }
});

Deno.test("deploy: the image holds the command line, with which the page looks at the tasks inside of it", async () => {
  const page = await Deno.readTextFile(new URL("docs/recipes/deploying.md", ROOT));
  const [, service = "", file = ""] = /exec (\w+) deno run --cached-only [-\w =]+ (\S+\.ts) stats`/.exec(page) ?? [];
  assert(service in services);
  const image = (await readFile("Dockerfile")).split("\n");
  for (const step of ["COPY ", "RUN deno cache "]) {
    assert(
      image.some((line) => line.startsWith(step) && line.split(" ").includes(file)),
      `${step} leaves out ${file}.`,
    );
  }
  await Deno.stat(new URL(file, ROOT));
});

Deno.test("deploy: each service of the compose file waits for services that exist", () => {
  for (const { depends_on = {} } of Object.values(services)) {
    for (const name of Object.keys(depends_on)) assert(name in services, name);
  }
});

Deno.test("deploy: a worker gets more time to stop than its grace, in systemd and in Docker", async () => {
  const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(await readFile(`systemd/${UNITS[1]}`)) ?? [];
  assert(Number(seconds) > 30);
  assertMatch(JSON.stringify(services.worker), /"stop_grace_period":"40s"/);
});

Deno.test("deploy: units and services download nothing as they start: a unit may write nowhere", async () => {
  const starts = await Promise.all(
    UNITS.map(async (unit) => /^ExecStart=(.+)$/m.exec(await readFile(`systemd/${unit}`))),
  );
  const commands = [...starts.map((found) => found?.[1]), ...["migrate", "server", "worker"].map(commandOf)];
  assertEquals(commands.filter((command) => !command?.includes("--cached-only")), []);
});

const hasSystemd = await new Deno.Command("systemd-analyze", { args: ["--version"], stdout: "null", stderr: "null" })
  .output().then(() => true, () => false);

testUnless(
  hasSystemd ? undefined : "install systemd",
  "deploy: systemd finds nothing wrong with its units",
  async () => {
    await using folder = await TempFolder.make();
    for (const unit of UNITS) {
      const text = (await readFile(`systemd/${unit}`)).replace("/usr/bin/deno", Deno.execPath());
      const path = `${folder.path}/${unit.replace("@", "@1")}`;
      await Deno.writeTextFile(path, text);
      const { stderr, code } = await new Deno.Command("systemd-analyze", { args: ["verify", path] }).output();
      const said = new TextDecoder().decode(stderr).split("\n").filter((line) => line.includes("reports-"));
      assertEquals([code, said], [0, []], new TextDecoder().decode(stderr));
    }
  },
);

testUnless(
  noPostgres,
  "deploy: migration, server and worker start as the image and the units do, and end on SIGTERM",
  async () => {
    await using postgres = await PostgresServer.startOwn();
    const port = String(freePort());
    const env = { ...Deno.env.toObject(), POSTGRES_URL: postgres.url, PORT: port, LISTEN: "127.0.0.1" };
    const run = (args: readonly string[], cwd: URL) =>
      new Deno.Command(Deno.execPath(), {
        args: args.filter((arg) => arg !== "--cached-only"),
        cwd: fileURLToPath(cwd),
        env,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
    assertEquals((await run(commandOf("migrate"), ROOT).status).code, 0);

    const [, worked = ""] = /^ExecStart=\S+ (.+)$/m.exec(await readFile(`systemd/${UNITS[1]}`)) ?? [];
    assertStringIncludes(worked, "worker.ts");
    const running = [run(commandOf("server"), ROOT), run(worked.split(" "), HERE)];
    try {
      const [, , ...healthArgs] = services.server?.healthcheck?.test ?? [];
      await until(async () => (await run(healthArgs, ROOT).status).success, "the server is healthy");
      const client = new Client({ name: "deploy-test", version: "1.0.0" });
      await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
      const { structuredContent } = await client.callTool({ name: "generate_report", arguments: { user_id: "42" } });
      assertEquals(structuredContent, { user_id: "42", revenue: 42000, items: 17 });
      await client.close();
      for (const process of running) process.kill("SIGTERM");
      assertEquals(await Promise.all(running.map(async ({ status }) => (await status).code)), [0, 0]);
    } finally {
      for (const process of running) {
        try {
          process.kill("SIGKILL");
        } catch {
          // It has ended, as expected.
        }
        await process.status;
      }
    }
  },
);
