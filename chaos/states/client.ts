/**
 * A client with a server of its own, as a host has it: reads requests from stdin, one a line, and writes what came of each.
 * It says what it is asked, and accepts it after a moment.
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { numberAsked } from "../approval/question.ts";
import { lines } from "../lines.ts";
import { Connection } from "../processes.ts";
import { endOfResult } from "../reported_end.ts";
import { pause } from "../../src/waiting.ts";

/** What the client is to do. */
export type ClientRequest =
  | {
    readonly call: number;
    readonly does: "start";
    readonly tool: string;
    readonly input: { [name: string]: unknown };
  }
  | { readonly call: number; readonly does: "await"; readonly id: string }
  | { readonly call: number; readonly does: "kill server" };

/** Which task's question a client was asked, and when, in ms since the epoch. */
export interface Asked {
  readonly number: number;
  readonly at: number;
}

/** What came of it: an id, or how a task ended. Or what the client was asked. */
export type ClientReply = { readonly call: number; readonly text: string } | { readonly asked: Asked };

/** How long a person takes to answer, in ms. */
const ANSWER_MS = 100;

const say = (reply: ClientReply) => console.log(JSON.stringify(reply));

if (import.meta.main) {
  const connection = new Connection(Deno.args, {
    server: "states/server",
    answer: async ({ params }) => {
      say({ asked: { number: numberAsked(params.message), at: Date.now() } });
      await pause(ANSWER_MS);
      return { action: "accept", content: { yes: true } };
    },
  });
  const running = new Set<Promise<void>>();
  for await (const line of lines(Deno.stdin.readable)) {
    const request: ClientRequest = JSON.parse(line);
    const done: Promise<void> = act(connection, request)
      .catch((error) => `refused ${error}`)
      .then((text) => say({ call: request.call, text }))
      .finally(() => running.delete(done));
    running.add(done);
  }
  await connection.close();
  Deno.exit(); // A call that still waits would start the next server, and again, after whoever started this process is gone.
}

async function act(connection: Connection, request: ClientRequest): Promise<string> {
  if (request.does === "kill server") {
    await connection.kill();
    return "";
  }
  if (request.does === "start") {
    const { tool, input } = request;
    const params = { name: tool, arguments: input, task: { ttl: 3_600_000 } };
    const created = await connection.use((client) =>
      client.request({ method: "tools/call", params }, CreateTaskResultSchema)
    );
    return created.task.taskId;
  }
  const params = { taskId: request.id };
  const result = await connection.use((client) =>
    client.request({ method: "tasks/result", params }, CallToolResultSchema, { timeout: 300_000 })
  );
  const { kind, text } = endOfResult(result);
  return `${kind} ${text}`;
}
