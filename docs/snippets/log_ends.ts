import { type Backend, isFinished } from "@mcp-jobs/mcp-jobs";

/** Writes one line for each task that ends, in whichever process it ran. Returns a function that stops it. */
export function logEnds(backend: Backend, write: (line: string) => void = console.log): () => void {
  return backend.watch((event) => {
    if (event.kind === "gap" || !isFinished(event.task)) return;
    const { id, job, status, message, createdAt, finishedAt } = event.task;
    write(JSON.stringify({ id, job, status, message, ms: finishedAt - createdAt }));
  });
}
