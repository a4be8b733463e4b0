import { type Outcome, type TaskEvent, TaskNotFound } from "../../../backend.ts";
import { MemoryBackend, type TaskInfo } from "../../../mod.ts";
import { assertLost, wait } from "./support/waiters.ts";

/** A backend that loses all its tasks at once, as a flushed Redis does. */
class LosingBackend extends MemoryBackend {
  #listeners = new Set<(event: TaskEvent) => void>();
  #lost = false;

  lose(): void {
    this.#lost = true;
    for (const listener of this.#listeners) listener({ kind: "gap" });
  }

  override get(id: string, owner: string): Promise<TaskInfo> {
    return this.#lost ? Promise.reject(new TaskNotFound(id)) : super.get(id, owner);
  }

  override outcome(id: string, owner: string): Promise<Outcome> {
    return this.#lost ? Promise.reject(new TaskNotFound(id)) : super.outcome(id, owner);
  }

  override watch(listener: (event: TaskEvent) => void): () => void {
    this.#listeners.add(listener);
    return super.watch(listener);
  }
}

Deno.test("for a task that the store has lost, waiting calls get the text of the error of tasks/get, and subscribers learn that it failed", async () => {
  const backend = new LosingBackend();
  await using waiters = await wait(backend);
  backend.lose();
  await assertLost(waiters);
});
