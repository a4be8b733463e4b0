import { fileURLToPath } from "node:url";
import { assertEquals } from "../../tools/std.ts";
import { canRun } from "../../tools/processes.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { install, noPython } from "../clients/support/python.ts";
import { testUnless } from "../support/test_unless.ts";

const hasBullMq = await canRun("python3", "-c", "import bullmq");

const file = (name: string) => fileURLToPath(new URL(`../../examples/python_worker/${name}`, import.meta.url));

testUnless(
  noRedis ?? (hasBullMq ? undefined : noPython),
  "a Python worker runs a tool, and its progress, result and failure reach the client",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-python-worker-" });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    if (!hasBullMq) await install(["bullmq==3.4.*"], folder);
    await using redis = await openRedis();
    const env = {
      REDIS_URL: redis.url,
      PYTHONDONTWRITEBYTECODE: "1",
      ...(!hasBullMq && { PYTHONPATH: `${folder}/packages` }),
    };
    const worker = new Deno.Command("python3", { args: [file("worker.py")], env }).spawn();
    try {
      const args = ["run", "--allow-all", file("client.ts")];
      const { stdout } = await new Deno.Command(Deno.execPath(), { args, env, stderr: "inherit" }).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n");
      assertEquals(lines, [
        "progress 0.1 ",
        "progress 0.5 sorting 3 numbers",
        'result {"mean":4,"median":3}',
        'error [{"type":"text","text":"Failed: there are no numbers to describe"}]',
      ]);
    } finally {
      worker.kill("SIGTERM");
      await worker.status;
    }
  },
);
