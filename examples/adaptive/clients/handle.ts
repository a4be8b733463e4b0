/**
 * What a model does that knows no tasks: it calls the tool, and if it gets a handle, it calls the tool that `next` names.
 *
 * @module
 */
import { z } from "zod";
import type { Update } from "../../shared/update.ts";
import type { Arguments } from "./caller.ts";

const Handle = z.object({
  token: z.string(),
  status: z.string(),
  progress: z.number().optional(),
  next: z.string(),
});
const Finished = z.object({ token: z.string(), status: z.literal("COMPLETED"), result: z.unknown() });

/** The part of a tool's result that is read here. */
export interface ToolAnswer {
  readonly [field: string]: unknown;
}

/** Calls a tool, with `call`, until the result of its job is there. `tools` are the names of the server's tools. */
export async function* untilResult(
  tool: string,
  args: Arguments,
  tools: readonly string[],
  call: (tool: string, args: Arguments) => Promise<ToolAnswer>,
): AsyncGenerator<Update> {
  let data = dataOf(tool, await call(tool, args));
  let handle = Handle.safeParse(data);
  if (!handle.success) return yield { answer: "result", result: data };
  while (handle.success) {
    const { token, status, progress, next } = handle.data;
    const named = tools.find((name) => next.includes(name));
    const seconds = Number(/wait_seconds (\d+)/.exec(next)?.[1]);
    if (named === undefined) throw new Error(`A handle of ${tool} names none of the server's tools: ${next}`);
    yield { answer: "handle", status, progress, message: `next: ${named}, wait_seconds ${seconds}` };
    data = dataOf(named, await call(named, { token, wait_seconds: seconds }));
    handle = Handle.safeParse(data);
  }
  yield { answer: "result", result: Finished.parse(data).result };
}

function dataOf(tool: string, { structuredContent, isError, content }: ToolAnswer): unknown {
  if (isError) throw new Error(`${tool} failed: ${JSON.stringify(content)}`);
  return structuredContent;
}
