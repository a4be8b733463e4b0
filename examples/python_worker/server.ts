/** Offers the jobs of an existing queue; its Python workers stay unchanged. */
import { AsyncToolServer, BullMqBackend, defineJob, OperationResourceStrategy } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

/** A contract: the code is in the worker. */
const describeNumbers = defineJob({
  name: "describe_numbers",
  description: "Compute the mean and the median of numbers",
  input: z.object({ numbers: z.array(z.number()) }),
  output: z.object({ mean: z.number(), median: z.number() }),
});

const server = new AsyncToolServer({
  name: "python_worker",
  version: "1.0.0",
  backend: await BullMqBackend.connect({ redis: Deno.env.get("REDIS_URL") ?? "redis://localhost:6379" }),
  strategy: new OperationResourceStrategy({ notifications: true }),
});
server.registerAsyncTool(describeNumbers, { queue: "statistics", jobName: "describe" });
await server.run();
