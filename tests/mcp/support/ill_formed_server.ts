/**
 * A server with half a character in every text of a task.
 *
 * @module
 */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Outcome } from "../../../backend.ts";
import {
  AsyncToolServer,
  type Backend,
  JobFault,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  type TaskInfo,
} from "../../../mod.ts";
import type { StrategyName } from "../../interop/support/fixture.ts";

/** What a worker of somebody else, or of an older version, may have stored. */
const FOREIGN: Outcome = { kind: "value", value: { "\udc00": "foreign \ud800" } };

/** Makes the server. */
export function serverOf(strategy: StrategyName, backend: Backend = new MemoryBackend()): AsyncToolServer {
  const [get, outcome] = [backend.get.bind(backend), backend.outcome.bind(backend)];
  const foreign = ({ job }: TaskInfo) => job === "foreign";
  backend.get = async (id, owner) => {
    const task = await get(id, owner);
    return foreign(task) ? { ...task, message: "foreign \ud800" } : task;
  };
  backend.outcome = async (id, owner) => foreign(await get(id, owner)) ? FOREIGN : await outcome(id, owner);
  const server = new AsyncToolServer({
    name: "half",
    version: "1.0.0",
    title: "title \ud800",
    instructions: "instructions \ud800",
    backend,
    strategy: strategy === "polling"
      ? new PollingExposureStrategy()
      : new OperationResourceStrategy({ notifications: true }),
  });
  const input = z.looseObject({});
  server.asyncTool(
    { name: "returns", title: "title \ud800", description: "description \udc00", input },
    async (given, { progress }) => {
      await progress(0.5, "progress \ud800");
      return { given, "key \ud800": ["\udc00", "\ud83d\ude00 whole"] };
    },
  );
  server.asyncTool({ name: "string", input }, () => "text \ud83d");
  server.asyncTool({ name: "throws", input, attempts: 1 }, () => {
    throw new Error("error \ud800");
  });
  server.asyncTool({ name: "faults", input }, () => {
    throw new JobFault("fault \ud800");
  });
  server.asyncTool({ name: "foreign", input }, () => "never seen");
  server.asyncTool({ name: "asks", input }, async (_, { elicit, log }) => {
    await log("log \ud800");
    const schema = z.object({ name: z.string().meta({ title: "title \ud800" }) });
    return await elicit({ message: "question \ud800", schema });
  });
  server.extend((mcp: McpServer) => {
    mcp.registerTool("plain", { description: "plain \ud800" }, () => ({
      content: [{ type: "text", text: "plain \ud800" }],
    }));
  });
  return server;
}
