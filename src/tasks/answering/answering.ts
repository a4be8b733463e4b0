/**
 * Takes the answers to the questions of tasks, from whoever gives them, and writes to the audit log how they came.
 *
 * @module
 */
import type { Backend } from "../../backend.ts";
import { sortAnswers } from "../../questions/answers.ts";
import type { Answers } from "../../questions/open.ts";
import { openQuestions, type TaskInfo } from "../../task.ts";
import { answeredBy } from "../audit.ts";
import type { Guard } from "../guard.ts";

/** The task of a question. */
type Owned = Pick<TaskInfo, "id" | "owner">;

/** The answers to the tasks of one server. */
export class Answering {
  readonly #backend: Pick<Backend, "get" | "answer">;
  readonly #guard: Guard;
  readonly #now: () => number;
  /** The cancellations of questions under way, by task and keys. */
  readonly #cancelling = new Map<string, Promise<void>>();

  constructor(backend: Pick<Backend, "get" | "answer">, guard: Guard, now: () => number) {
    this.#backend = backend;
    this.#guard = guard;
    this.#now = now;
  }

  /** As `Tasks.answer`. */
  async answer(
    { id, owner }: Owned,
    answersTo: (task: TaskInfo) => Answers,
    by: "person" | "model",
  ): Promise<TaskInfo> {
    const request = { operation: "answer", owner, task: id } as const;
    const { task } = await this.#guard.audited(request, async () => {
      this.#guard.read(owner);
      const before = await this.#backend.get(id, owner);
      const { fitting, late } = await sortAnswers(before, answersTo(before), this.#now());
      if (late.length > 0) this.refuse(before, "The question is not open: it was answered, or its time is over.");
      const answers = Object.fromEntries(fitting);
      return { answers, task: fitting.length === 0 ? before : await this.#backend.answer(id, owner, answers) };
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

  async #cancel({ id, owner }: Owned, keys: readonly string[]): Promise<void> {
    await this.#guard.audited({ operation: "answer", owner, task: id }, async () => {
      const before = await this.#backend.get(id, owner);
      const open = openQuestions(before).filter(({ key }) => keys.includes(key));
      const answers = Object.fromEntries(open.map(({ key }) => [key, { action: "cancel" } as const]));
      if (open.length > 0) await this.#backend.answer(id, owner, answers);
      return answeredBy("nobody", before.job, answers);
    }, (events) => events);
  }

  /** Writes to the audit log that an answer was refused. */
  refuse({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">, reason: string): void {
    this.#guard.refuse({ operation: "answer", owner, task: id, job }, reason);
  }
}
