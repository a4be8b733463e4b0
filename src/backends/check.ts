/**
 * Asks a backend whether it is there.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { BackendError, TaskNotFound } from "../errors.ts";
import { NO_TASK } from "../ids.ts";

/** How long a backend may take to answer, in ms. */
const PATIENCE_MS = 2_000;

/** Reads a task that never was. Rejects unless the backend says so in time. */
export async function checkAnswers(backend: Pick<Backend, "get">): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new BackendError(`The backend did not answer within ${PATIENCE_MS} ms.`)),
    PATIENCE_MS,
  );
  try {
    await Promise.race([backend.get(NO_TASK, "healthz"), late]);
  } catch (error) {
    if (!(error instanceof TaskNotFound)) throw error;
  } finally {
    clearTimeout(timer);
  }
}
