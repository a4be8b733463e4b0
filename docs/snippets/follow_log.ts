import { type Backend, isFinished, type LogLine } from "@mcp-jobs/mcp-jobs";

/** Writes each line that a task logs, in whichever process it runs. Resolves once the task has ended. */
export async function followLog(
  backend: Backend,
  { id, owner }: { readonly id: string; readonly owner: string },
  write: (line: LogLine) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let last = 0;
  const read = async () => {
    const task = await backend.get(id, owner);
    const lines = (task.logged ?? 0) > last ? await backend.log(id, owner) : [];
    for (const line of lines.filter(({ number }) => number > last)) {
      write(line);
      last = line.number;
    }
    if (isFinished(task)) resolve();
  };
  let reading = read();
  const stop = backend.watch((event) => {
    if (event.kind === "change" && event.task.id !== id) return;
    reading = reading.then(read);
    reading.catch(reject);
  });
  reading.catch(reject);
  await promise.finally(stop);
}
