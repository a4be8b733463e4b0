import { fileURLToPath } from "node:url";
import { assertEquals } from "../../tools/std.ts";
import { canRun } from "../../tools/processes.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";

const hasBullMq = await canRun("python3", "-c", "import bullmq");
const leftOut = noRedis ?? (hasBullMq ? undefined : "install Python 3.10, and `pip install bullmq`");

const file = (name: string) => fileURLToPath(new URL(`../../examples/python_worker/${name}`, import.meta.url));

Deno.test({
  name: `a Python worker runs a tool, and its progress, result and failure reach the client${
    leftOut === undefined ? "" : ` (left out: ${leftOut})`
  }`,
  ignore: leftOut !== undefined,
  fn: async () => {
    await using redis = await openRedis();
    const env = { REDIS_URL: redis.url };
    const worker = new Deno.Command("python3", { args: [file("worker.py")], env }).spawn();
    try {
      const args = ["run", "--allow-all", file("client.ts")];
      const { stdout } = await new Deno.Command(Deno.execPath(), { args, env, stderr: "inherit" }).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n");
      assertEquals(lines, [
        "progress 0.1 ",
        "progress 0.5 sorting 3 numbers",
        'result {"mean":4,"median":3}',
        'error [{"type":"text","text":"there are no numbers to describe"}]',
      ]);
    } finally {
      worker.kill("SIGTERM");
      await worker.status;
    }
  },
});
