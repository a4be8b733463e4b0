// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { type CallToolResult, McpError } from "@modelcontextprotocol/sdk/types.js";
import { callAgain, callForHandle } from "../../chaos/plain_calls.ts";
import { assertEquals } from "../../tools/std.ts";

const DIED = "The worker died 3 times while it ran this task, or lost it, so it is not tried again.";

for (const call of [callAgain, callForHandle]) {
  Deno.test(`${call.name}: a plain call whose task has lost three workers is made again, which counts as a death`, async () => {
    const result: CallToolResult = { content: [], structuredContent: { number: 7, run: "a" } };
    const answers = [new McpError(-32603, DIED), result];
    const request = () => {
      const answer = answers.shift();
      return answer instanceof McpError ? Promise.reject(answer) : Promise.resolve(answer);
    };
    const connection = { use: <T>(call: (client: Client) => Promise<T>) => call({ request } as unknown as Client) };
    const { end, deaths } = await call(connection, { number: 7, ms: 0, fail: false });
    assertEquals([end.kind, deaths], ["completed", 1]);
  });
}
