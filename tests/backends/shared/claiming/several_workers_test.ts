/**
 * Several workers with the same jobs in one process.
 *
 * @module
 */
import type { NewTask } from "../../../../src/backend.ts";
import { createWorker, defineJob, type JobContext, MemoryBackend, type Worker } from "../../../../mod.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { newTask } from "../../../support/tasks.ts";

const OWNER = "ann";

/** Workers whose tasks run until they are released. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  /** The tasks that run, with what ends each. */
  readonly running = new Map<string, () => void>();
  readonly #feed = new TaskFeed(this.backend);
  readonly #workers: Worker[] = [];

  /** Starts a worker. */
  async worker(concurrency: number, name = "job"): Promise<Worker> {
    const run = async (_: unknown, { id }: Pick<JobContext, "id">) => {
      await new Promise<void>((resolve) => this.running.set(id, resolve));
      this.running.delete(id);
    };
    const worker = createWorker(this.backend, [defineJob({ name, input: { type: "object" }, run })], { concurrency });
    this.#workers.push(worker);
    await worker.ready;
    return worker;
  }

  async create(own: Partial<NewTask> = {}): Promise<string> {
    const task = newTask({ owner: OWNER, ...own });
    return (await this.backend.create(task)).id;
  }

  async untilRunning(...ids: readonly string[]): Promise<void> {
    await until(() => ids.every((id) => this.running.has(id)), "the tasks run");
  }

  /** Lets a task end. */
  async end(id: string): Promise<void> {
    this.running.get(id)?.();
    assertEquals((await this.#feed.wait(id, OWNER, AbortSignal.timeout(60_000))).status, "COMPLETED");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.running.values()) end();
    await Promise.all(this.#workers.map((worker) => worker.close()));
    this.#feed[Symbol.dispose]();
    await this.backend.close();
  }
}

Deno.test("tasks for which one worker has no slot run on the next ones, and the rest as soon as any has a slot", async () => {
  await using stage = new Stage();
  for (let i = 0; i < 3; i++) await stage.worker(1);
  const running = await Promise.all(Array.from({ length: 3 }, () => stage.create()));
  await stage.untilRunning(...running);
  const waiting = await Promise.all(Array.from({ length: 3 }, () => stage.create()));
  for (const [index, id] of running.reverse().entries()) {
    await stage.end(id);
    await stage.untilRunning(...waiting.slice(0, index + 1));
  }
});

Deno.test("a delayed task that one worker knows of runs on another one if that one has no slot when it is due", async () => {
  await using stage = new Stage();
  for (let i = 0; i < 2; i++) await stage.worker(1);
  const delayed = await stage.create({ delay: 300 });
  const first = await stage.create();
  await stage.untilRunning(first, delayed);
});

Deno.test("what a worker that closes knows of is left to another one", async () => {
  await using stage = new Stage();
  const closes = await stage.worker(1);
  await stage.worker(1);
  const delayed = await stage.create({ delay: 300 });
  await closes.close();
  await stage.untilRunning(delayed);
  const [first, second] = [await stage.create(), await stage.create()];
  await stage.end(delayed);
  await stage.untilRunning(first);
  await stage.end(first);
  await stage.untilRunning(second);
});
