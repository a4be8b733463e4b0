/**
 * Takes the answers to the questions of tasks, and records in the audit log who answered and how.
 *
 * @module
 */
import type { Answered, Backend } from "../../backend.ts";
import { sortAnswers } from "../../questions/answers.ts";
import type { Answers } from "../../questions/open.ts";
import { type Answer, openQuestions, type TaskInfo } from "../../task.ts";
import { answeredBy } from "../audit.ts";
import type { Guard } from "../guard.ts";

type Owned = Pick<TaskInfo, "id" | "owner">;

/** Why an answer does not count. */
const IGNORED = "The answer was ignored: the question is not open, as it was answered before, or its time is over.";

/** The answer to a question that nobody can be asked. */
const NOBODY: Answer = { action: "cancel", answeredBy: "nobody" };

/** The answers to the tasks of one server. */
export class Answering {
  readonly #backend: Pick<Backend, "get" | "answer">;
  readonly #guard: Guard;
  /** The cancellations of questions under way, by task and keys. */
  readonly #cancelling = new Map<string, Promise<void>>();

  constructor(backend: Pick<Backend, "get" | "answer">, guard: Guard) {
    this.#backend = backend;
    this.#guard = guard;
  }

  async answer(
    { id, owner }: Owned,
    answersTo: (task: TaskInfo) => Answers,
    by: "person" | "model",
  ): Promise<TaskInfo> {
    const request = { operation: "answer", owner, task: id } as const;
    const { task } = await this.#guard.audited(request, async () => {
      this.#guard.read(owner);
      const before = await this.#backend.get(id, owner);
      const { fitting, late } = await sortAnswers(before, answersTo(before));
      const { task, counted } = await this.#store(before, Object.fromEntries(fitting));
      // Another answer, or the end of its time, may have been faster.
      const answers = Object.fromEntries(fitting.filter(([key]) => counted.includes(key)));
      if (late.length > 0 || counted.length < fitting.length) {
        this.#guard.refuse({ ...request, job: task.job }, IGNORED);
      }
      return { answers, task };
    }, ({ answers, task }) => answeredBy(by, task.job, answers));
    return task;
  }

  /** As `Tasks.answerForNobody`. Requests that see the same question at the same time cancel it once. */
  cancel(task: Owned, keys: readonly string[]): Promise<void> {
    const name = JSON.stringify([task.id, keys]);
    const cancelling = this.#cancelling.get(name) ?? this.#cancel(task, keys).finally(() => {
      this.#cancelling.delete(name);
    });
    this.#cancelling.set(name, cancelling);
    return cancelling;
  }

  async #store(task: TaskInfo, answers: Answers): Promise<Answered> {
    if (Object.keys(answers).length === 0) return { task, counted: [] };
    return await this.#backend.answer(task.id, task.owner, answers);
  }

  async #cancel({ id, owner }: Owned, keys: readonly string[]): Promise<void> {
    await this.#guard.audited({ operation: "answer", owner, task: id }, async () => {
      const before = await this.#backend.get(id, owner);
      const open = openQuestions(before).filter(({ key }) => keys.includes(key));
      const answers = Object.fromEntries(open.map(({ key }) => [key, NOBODY]));
      const { counted } = await this.#store(before, answers);
      const cancelled = Object.entries(answers).filter(([key]) => counted.includes(key));
      return answeredBy("nobody", before.job, Object.fromEntries(cancelled));
    }, (events) => events);
  }
}
