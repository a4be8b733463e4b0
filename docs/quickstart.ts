// One server, one job, one file: the server also runs the job.
import { AsyncToolServer, DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

const server = new AsyncToolServer({
  name: "quickstart",
  version: "1.0.0",
  backend: await DenoKvBackend.open({ path: "./data/quickstart.kv" }),
});

server.asyncTool({
  name: "count_primes",
  description: "Count the primes below a number",
  input: z.object({ below: z.int().min(2) }),
}, async ({ below }, ctx) => {
  let count = 0;
  for (let n = 2; n < below; n++) {
    if (isPrime(n)) count++;
    if (n % 10_000 === 0) {
      ctx.signal.throwIfAborted(); // the task was cancelled
      await ctx.progress(n / below, `at ${n}`);
    }
  }
  return { below, count };
});

await server.run({ worker: { concurrency: 4 } });

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
