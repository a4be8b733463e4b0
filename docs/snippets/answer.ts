import type { Backend, Json } from "@mcp-jobs/mcp-jobs";
import { openQuestions, validate } from "@mcp-jobs/mcp-jobs/strategy";

/**
 * Accepts a question of any owner's task with what a page of yours received. Rejects with `InvalidInput` if that does not
 * fit; then the question stays open. Resolves with `false` if it is not open any more.
 */
export async function accept(
  backend: Backend,
  id: string,
  key: string,
  content: { readonly [field: string]: Json },
): Promise<boolean> {
  const task = await backend.operator.get(id);
  const question = openQuestions(task).find((one) => one.key === key);
  if (!question) return false;
  await validate(question.schema, content, "answer");
  const { counted } = await backend.answer(id, task.owner, { [key]: { action: "accept", content } });
  return counted.includes(key);
}
