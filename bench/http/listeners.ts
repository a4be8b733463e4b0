/** 1,000 clients, or as many as are named, listening on as many tasks: `deno run -A bench/http/listeners.ts [count]`. */
import { DenoKvBackend, MemoryBackend } from "../../mod.ts";
import { listening } from "./listening.ts";
import { percentile } from "../measure.ts";

const [count = 1_000] = Deno.args.map(Number);
const folder = await Deno.makeTempDir();

for (const name of ["memory", "kv"]) {
  await using backend = name === "kv" ? await DenoKvBackend.open({ path: `${folder}/jobs.kv` }) : new MemoryBackend();
  const { latencies, missed, doubled, disordered, leftBehind } = await listening(backend, count);
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(latencies, share).toFixed(0));
  console.log(
    `${name}: ${latencies.length} of ${count} listeners were notified of the end, p50 ${p50} ms, p99 ${p99} ms`,
  );
  console.log(`${name}: missed ${missed}, doubled ${doubled}, disordered ${disordered}, left behind ${leftBehind}`);
  if (missed + doubled + disordered + leftBehind > 0) Deno.exitCode = 1;
}

await Deno.remove(folder, { recursive: true });
