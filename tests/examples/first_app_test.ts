/**
 * The README's first job as a newcomer makes it: in an empty folder, with an empty cache.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { testUnless } from "../support/test_unless.ts";
import { assert, assertEquals } from "../../tools/std.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FILES = ["quickstart.ts", "snippets/jobs.ts", "snippets/server.ts", "snippets/worker.ts", "snippets/http.ts"];
const CACHE = await Deno.makeTempDir();

interface Ran {
  readonly success: boolean;
  readonly said: string;
}

async function deno(cwd: string, ...args: readonly string[]): Promise<Ran> {
  const env = { DENO_DIR: CACHE, NO_COLOR: "1" };
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd, env }).output();
  return { success, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

const { success } = await deno(CACHE, "cache", "npm:zod@^4.2.0");
const leftOut = success ? undefined : "the npm registry cannot be reached";

/** Copies the package as it is published. A folder replaces JSR, which cannot be reached everywhere. */
async function publish(folder: string): Promise<string> {
  const { success, said } = await deno(ROOT, "publish", "--dry-run", "--allow-dirty", "--no-check");
  assert(success, said);
  for (const [, url = ""] of said.matchAll(/^ +(file:\S+) \(/gm)) {
    const path = fileURLToPath(url).slice(ROOT.length);
    await Deno.mkdir(`${folder}/${dirname(path)}`, { recursive: true });
    await Deno.copyFile(ROOT + path, `${folder}/${path}`);
  }
  return folder;
}

/** Creates the folder that the README describes, and resolves with the names of its programs. */
async function makeApp(folder: string, from: string, compilerOptions = {}): Promise<readonly string[]> {
  const [, config = ""] = /```json\n(\{\n {2}"imports".*?)```/s.exec(await Deno.readTextFile(`${ROOT}README.md`)) ?? [];
  const denoJson = JSON.parse(config.replace("/path/to/mcp-jobs", from));
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ ...denoJson, compilerOptions }));
  for (const file of FILES) await Deno.copyFile(`${ROOT}docs/${file}`, `${folder}/${file.replace("snippets/", "")}`);
  return FILES.map((file) => file.replace("snippets/", ""));
}

/** Runs with new empty folders. */
async function inFolders(count: number, run: (...folders: string[]) => Promise<void>): Promise<void> {
  const folders = await Promise.all([...Array(count)].map(() => Deno.makeTempDir()));
  await run(...folders);
  for (const folder of folders) await Deno.remove(folder, { recursive: true });
}

const CLONE = ROOT.replace(/\/$/, "");
const STRICT = { noUncheckedIndexedAccess: true, noImplicitOverride: true, noUnusedLocals: true };

testUnless(
  leftOut,
  "deno check passes in a new folder before anything has run, with the published package and stricter compiler options",
  () =>
    inFolders(2, async (app = "", copy = "") => {
      const { success, said } = await deno(app, "check", ...await makeApp(app, await publish(copy), STRICT));
      assert(success, said);
    }),
);

/** The modules of the package that the programs of an app import, by their path in the package, with their text. */
async function modulesOf(app: string, from: string): Promise<Readonly<Record<string, string>>> {
  const programs = await makeApp(app, from);
  await Deno.writeTextFile(`${app}/all.ts`, programs.map((program) => `import "./${program}";\n`).join(""));
  const { success, said } = await deno(app, "info", "--json", "all.ts");
  assert(success, said);
  const { modules }: { readonly modules: readonly { readonly local?: string }[] } = JSON.parse(said);
  const own = modules.flatMap(({ local }) => local?.startsWith(`${from}/`) ? [local.slice(from.length)] : []);
  return Object.fromEntries(await Promise.all(own.map(async (path) => [path, await Deno.readTextFile(from + path)])));
}

// So what `deno check` says of the one, it says of the other.
testUnless(
  leftOut,
  "an app imports the same modules from a clone as from the published package",
  () =>
    inFolders(3, async (first = "", second = "", copy = "") => {
      const modules = await modulesOf(first, CLONE);
      assert(Object.hasOwn(modules, "/mod.ts") && Object.keys(modules).length > 50);
      assertEquals(await modulesOf(second, await publish(copy)), modules);
    }),
);

testUnless(
  leftOut,
  "after deno cache, the quickstart starts without the network, and Deno has printed no warning",
  () =>
    inFolders(2, async (app = "", copy = "") => {
      await makeApp(app, await publish(copy));
      const cached = await deno(app, "cache", "quickstart.ts");
      assert(cached.success && !/warn/i.test(cached.said), cached.said);
      const flags = ["--cached-only", "--unstable-kv", "--allow-read=./data", "--allow-write=./data"];
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", ...flags, "quickstart.ts"],
        cwd: app,
        env: { DENO_DIR: CACHE, NO_COLOR: "1" },
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
      inFolders(1, async (app = "") => {
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

globalThis.addEventListener("unload", () => Deno.removeSync(CACHE, { recursive: true }));
