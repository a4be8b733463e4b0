import { InvalidValue } from "../../../backend.ts";
import { DenoKvBackend, type TaskInfo } from "../../../mod.ts";
import type { NewTask, WorkOptions } from "../../../src/backend.ts";
import { newTaskId } from "../../../src/ids.ts";
import { type FinishedTask, isFinished } from "../../../src/task.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { TempFolder } from "../../support/temp_folder.ts";

const OWNER = "ann";
const QUESTION = { key: "text", message: "Your text?", schema: { type: "object" } };

interface Opened {
  readonly backend: DenoKvBackend;
  readonly create: (task?: Partial<NewTask>) => Promise<TaskInfo>;
  /** Starts a worker for the job. */
  readonly work: (run: WorkOptions["run"]) => Promise<void>;
  /** Resolves once a task is as `look` wants it, which happens after this call. */
  readonly until: <T extends TaskInfo>(isReached: (task: TaskInfo) => task is T) => Promise<T>;
}

async function withBackend(use: (opened: Opened) => Promise<void>): Promise<void> {
  await using folder = await TempFolder.make();
  await using backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  const retry = { attempts: 1, delay: 10, maxDelay: 10 };
  await use({
    backend,
    create: (task) =>
      backend.create({ id: newTaskId(), job: "job", owner: OWNER, input: {}, resultTtl: 60_000, retry, ...task }),
    work: (run) => backend.work({ jobs: ["job"], concurrency: 4, run }).ready,
    until: <T extends TaskInfo>(isReached: (task: TaskInfo) => task is T) =>
      new Promise<T>((resolve) => {
        const stop = backend.watch((event) => {
          if (event.kind === "gap" || !isReached(event.task)) return;
          stop();
          resolve(event.task);
        });
      }),
  });
}

const isAsking = (task: TaskInfo): task is TaskInfo => task.status === "INPUT_REQUIRED";
const ended = (task: TaskInfo): task is FinishedTask => isFinished(task);
const answer = (text: string) => ({ [QUESTION.key]: { action: "accept", content: { text } } }) as const;

Deno.test("KV: an answer that can never be stored is refused, and the tasks that others create meanwhile are not", () =>
  withBackend(async ({ backend, create, work, until }) => {
    const asking = until(isAsking);
    await work(async (claim) => ({ kind: "value", value: (await claim.ask(QUESTION)).action }));
    const { id } = await create();
    const { revision } = await asking;
    const [refused, ...created] = await Promise.allSettled([
      backend.answer(id, OWNER, answer("x".repeat(70_000))),
      ...Array.from({ length: 20 }, () => create({ job: "other", owner: "bob" })),
    ]);
    assert(refused?.status === "rejected" && refused.reason instanceof InvalidValue);
    assertEquals(created.map(({ status }) => status), created.map(() => "fulfilled"));
    assertEquals((await backend.get(id, OWNER)).revision, revision);
    const end = until(ended);
    await backend.answer(id, OWNER, answer("short"));
    assertEquals((await end).status, "COMPLETED");
  }));

Deno.test("KV: the record of a task with answers of the largest size has room for all later changes", () =>
  withBackend(async ({ backend, create, work, until }) => {
    const asking = until(isAsking);
    const error = "é€".repeat(10_000);
    const result = "r".repeat(7_000);
    await work(async (claim) => {
      await claim.ask(QUESTION);
      await claim.report({ progress: 0.5, message: error });
      if (claim.task.attempt === 1) return { kind: "error", message: error, retry: true };
      return { kind: "value", value: result };
    });
    const retry = { attempts: 2, delay: 1, maxDelay: 1 };
    const { id } = await create({ input: "€".repeat(7_900), retry });
    await asking;
    await assertRejects(() => backend.answer(id, OWNER, answer("x".repeat(45_000))), InvalidValue, "answers");
    const end = until(ended);
    await backend.answer(id, OWNER, answer("x".repeat(39_000)));
    assertEquals([(await end).status, (await end).attempt], ["COMPLETED", 2]);
    assertEquals(await backend.outcome(id, OWNER), { kind: "value", value: result });
  }));

Deno.test("KV: a question that would leave no room for later changes of its task is refused", () =>
  withBackend(async ({ backend, create, work, until }) => {
    const end = until(ended);
    await work(async (claim) => {
      const error = await claim.ask({ ...QUESTION, message: '"'.repeat(25_000) }).then(String, (error) => error);
      return { kind: "value", value: [error instanceof InvalidValue, error.message] };
    });
    const { id } = await create();
    assertEquals((await end).status, "COMPLETED");
    const outcome = await backend.outcome(id, OWNER);
    assert(outcome.kind === "value" && Array.isArray(outcome.value));
    assertEquals(outcome.value[0], true, outcome.value[1]);
  }));

Deno.test("KV: the result of a task that is to be kept for ever is stored", () =>
  withBackend(async ({ backend, create, work, until }) => {
    const end = until(ended);
    await work(() => Promise.resolve({ kind: "value", value: "x".repeat(9_000) }));
    const { id } = await create({ resultTtl: Number.MAX_SAFE_INTEGER });
    assertEquals((await end).status, "COMPLETED");
    assertEquals(await backend.outcome(id, OWNER), { kind: "value", value: "x".repeat(9_000) });
  }));
