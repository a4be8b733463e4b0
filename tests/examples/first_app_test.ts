/**
 * The README's first job as a newcomer makes it: in an empty folder, with an empty cache, from a clone and from JSR.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { LocalJsr } from "./support/jsr.ts";
import { testUnless } from "../support/test_unless.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FILES = ["quickstart.ts", "snippets/jobs.ts", "snippets/server.ts", "snippets/worker.ts", "snippets/http.ts"];
const CACHE = await Deno.makeTempDir();
const CLONE = ROOT.replace(/\/$/, "");
const PACKAGE = "jsr:@mcp-jobs/mcp-jobs";

/** JSR itself cannot be reached everywhere. */
const jsr = new LocalJsr();

interface Ran {
  readonly success: boolean;
  readonly said: string;
}

async function deno(cwd: string, ...args: readonly string[]): Promise<Ran> {
  const env = { DENO_DIR: CACHE, JSR_URL: jsr.url, NO_COLOR: "1" };
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd, env }).output();
  return { success, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

const { success } = await deno(CACHE, "cache", "npm:zod@^4.2.0");
if (success) await jsr.publish(ROOT);
const leftOut = success ? undefined : "the npm registry cannot be reached";

/** Creates the folder that the README describes, and resolves with the names of its programs. */
async function makeApp(folder: string, from: string, compilerOptions = {}): Promise<readonly string[]> {
  const [, config = ""] = /```json\n(\{\n {2}"imports".*?)```/s.exec(await Deno.readTextFile(`${ROOT}README.md`)) ?? [];
  const { imports, ...others } = JSON.parse(config.replace("/path/to/mcp-jobs", CLONE));
  const denoJson = { ...others, compilerOptions, imports: from === CLONE ? imports : {} };
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(denoJson));
  if (from === PACKAGE) {
    const { success, said } = await deno(folder, "add", PACKAGE, "npm:zod");
    assert(success, said);
  }
  for (const file of FILES) await Deno.copyFile(`${ROOT}docs/${file}`, `${folder}/${file.replace("snippets/", "")}`);
  return FILES.map((file) => file.replace("snippets/", ""));
}

/** Runs with a new empty folder. */
async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  await using folder = await TempFolder.make();
  await run(folder.path);
}

const STRICT = { noUncheckedIndexedAccess: true, noImplicitOverride: true, noUnusedLocals: true };

for (const [where, from] of [["a clone", CLONE], ["JSR", PACKAGE]] as const) {
  testUnless(
    leftOut,
    `deno check passes in a new folder before anything has run, importing from ${where}, with stricter compiler options`,
    () =>
      inFolder(async (app) => {
        const { success, said } = await deno(app, "check", ...await makeApp(app, from, STRICT));
        assert(success, said);
      }),
  );
}

testUnless(
  leftOut,
  "each entry can be imported from JSR",
  () =>
    inFolder(async (app) => {
      await makeApp(app, PACKAGE);
      const { exports, name } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
      const entries = Object.keys(exports).map((entry) => name + entry.slice(1));
      await Deno.writeTextFile(`${app}/all.ts`, entries.map((entry) => `import "${entry}";\n`).join(""));
      const { success, said } = await deno(app, "run", "--check", "all.ts");
      assert(success, said);
    }),
);

testUnless(
  leftOut,
  "the command line runs from JSR in the folder of a Node program, and leaves nothing there",
  () =>
    inFolder(async (app) => {
      const page = await Deno.readTextFile(`${ROOT}docs/command_line.md`);
      const [, args = ""] = /^alias mcp-jobs='deno (.* jsr:.*)'/m.exec(page) ?? [];
      await Deno.writeTextFile(`${app}/package.json`, "{}");
      const { said } = await deno(app, ...args.split(" "), "workers", "--kv", `${app}/jobs.kv`);
      assert(said.startsWith("mcp-jobs workers: Cannot open the KV file"), said);
      assertEquals([...Deno.readDirSync(app)].map(({ name }) => name), ["package.json"]);
    }),
);

testUnless(
  leftOut,
  "after deno cache, the quickstart starts without the network, and Deno has printed no warning",
  () =>
    inFolder(async (app) => {
      await makeApp(app, PACKAGE);
      const cached = await deno(app, "cache", "quickstart.ts");
      assert(cached.success && !/warn/i.test(cached.said), cached.said);
      const flags = ["--cached-only", "--unstable-kv", "--allow-read=./data", "--allow-write=./data"];
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", ...flags, "quickstart.ts"],
        cwd: app,
        env: { DENO_DIR: CACHE, JSR_URL: jsr.url, NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const stderr = new Response(child.stderr).text();
      const stdin = child.stdin.getWriter();
      const params = {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "test", version: "1.0.0" },
      };
      const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params };
      await stdin.write(new TextEncoder().encode(`${JSON.stringify(initialize)}\n`));
      let answer = "";
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        answer += text;
        if (answer.endsWith("\n")) await stdin.close().catch(() => {}); // The client disconnects.
      }
      assertEquals([await stderr, (await child.status).code], ["", 0]);
      assertEquals(JSON.parse(answer).result.serverInfo.name, "quickstart");
    }),
);

const LAZY = {
  "validates with plain JSON Schema": `
    import { createClient, createWorker, defineJob, MemoryBackend } from "@mcp-jobs/mcp-jobs";

    const count = defineJob({
      name: "count",
      input: { type: "object", properties: { until: { type: "string", format: "date" } } },
      run: () => 1,
    });
    await using backend = new MemoryBackend();
    await using _worker = createWorker(backend, [count]);
    const client = createClient(backend, { owner: "ann" });
    await client.wait(await client.start(count, { until: "2026-11-29" }));
  `,
  "loads BullMQ": `
    import "@mcp-jobs/mcp-jobs";
    import { loadLibraries } from "${CLONE}/src/backends/bullmq/internals.ts";

    await loadLibraries();
  `,
};

for (const [does, program] of Object.entries(LAZY)) {
  testUnless(
    leftOut,
    `a program without a lock file ${does}`,
    () =>
      inFolder(async (app) => {
        await makeApp(app, CLONE);
        await Deno.writeTextFile(`${app}/lazy.ts`, program);
        // When libraries and their peers were imported one by one, up to one run in two failed.
        for (let run = 1; run <= 5; run++) {
          const { success, said } = await deno(app, "run", "--no-lock", "--allow-env", "--allow-read", "lazy.ts");
          assert(success, `run ${run}: ${said}`);
        }
      }),
  );
}

globalThis.addEventListener("unload", () => {
  jsr.close();
  Deno.removeSync(CACHE, { recursive: true });
});
