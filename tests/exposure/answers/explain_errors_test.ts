import { BackendError, TaskFinished, TaskNotFound, TaskNotReady } from "../../../src/errors.ts";
import { explainErrors } from "../../../src/exposure/answers/token_answer.ts";
import { ResultPartNotFound } from "../../../src/exposure/answers/pages.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const failWith = (error: Error) => explainErrors("id-1", () => Promise.reject(error));

Deno.test("a task that has not ended, or has, is an error result with its token and status", async () => {
  const notReady = new TaskNotReady("id-1", "RUNNING");
  const finished = new TaskFinished("id-1", "COMPLETED");
  for (const error of [notReady, finished]) {
    const structuredContent = { token: "id-1", status: error.status, error: error.message };
    assertEquals(await failWith(error), {
      content: [{ type: "text", text: JSON.stringify(structuredContent) }],
      structuredContent,
      isError: true,
    });
  }
});

Deno.test("an unknown token or page is an error result that says so, and a failure of the store none", async () => {
  for (const error of [new TaskNotFound("id-1"), new ResultPartNotFound("There is no page 9.")]) {
    assertEquals(await failWith(error), { content: [{ type: "text", text: error.message }], isError: true });
  }
  await assertRejects(() => failWith(new BackendError("The store is away.")), BackendError, "away");
});
