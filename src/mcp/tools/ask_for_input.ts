/**
 * What the person is asked before there is a task.
 *
 * @module
 */
import type { Result } from "@modelcontextprotocol/server";
import type { Question } from "../../task.ts";
import type { RequestContext } from "../host.ts";
import type { Connection } from "../revision.ts";

type Input = { readonly [key: string]: unknown };

/**
 * Asks for the fields that an input lacks. Resolves with the whole input, or with what the call has to return so that its
 * client calls again with the answers. Without a client that can be asked, the input stays as it is. Throws `ToolError` if
 * the person declines.
 */
export async function completeInput(
  questions: readonly Question[],
  input: Input,
  connection: Pick<Connection, "client" | "elicit">,
  ctx: RequestContext,
  over: AbortSignal,
): Promise<{ readonly input: Input } | { readonly result: Result }> {
  const missing = questions.filter(({ key }) => !Object.hasOwn(input, key));
  if (missing.length === 0 || !connection.client(ctx).elicitation) return { input };
  const elicited = await connection.elicit(missing, ctx, over);
  return "result" in elicited ? elicited : { input: { ...input, ...elicited.fields } };
}
