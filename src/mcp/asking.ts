/**
 * The questions of tasks, on their way to the person in front of a client.
 *
 * @module
 */
import { CLIENT_CAPABILITIES_META_KEY } from "@modelcontextprotocol/server";
import { InvalidInput } from "../errors.ts";
import type { Answer, Question, TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks.ts";
import type { RequestContext, TaskServer } from "./host.ts";
import { relatedTask } from "./rev_2025_11_25.ts";
import { answerOf, declaresForms, elicitation } from "./task_words.ts";

/** How many questions of a connection are remembered as asked. One that is still open after as many others is asked again. */
const REMEMBERED = 1_000;

/** What a task asks now. */
export function openQuestions(task: TaskInfo): readonly Question[] {
  return task.status === "INPUT_REQUIRED" ? task.questions ?? [] : [];
}

/** Whether the client of a request can be asked. */
export function canAsk(server: TaskServer, ctx: RequestContext): boolean {
  const { envelope } = ctx.mcpReq;
  return declaresForms(envelope ? Reflect.get(envelope, CLIENT_CAPABILITIES_META_KEY) : server.getClientCapabilities());
}

/** Puts the questions of tasks to the client of one 2025-11-25 connection, each once. */
export class Asker {
  readonly #server: TaskServer;
  readonly #tasks: Tasks;
  readonly #owner: string;
  readonly #asked = new Set<string>();

  constructor(server: TaskServer, tasks: Tasks, owner: string) {
    this.#server = server;
    this.#tasks = tasks;
    this.#owner = owner;
    server.onAnswer = (id, answer) => this.#take(id, answer);
  }

  /** Asks what a task has open, on the stream of an open request of the client. */
  ask(task: TaskInfo, ctx: RequestContext): void {
    if (!canAsk(this.#server, ctx)) return;
    for (const question of openQuestions(task)) {
      // An id that names task and question: whoever gets the answer knows where it belongs.
      const id = `task-input:${task.id}:${question.key}`;
      if (this.#asked.has(id)) continue;
      this.#remember(id);
      const params = { ...elicitation(question), _meta: relatedTask(task.id) };
      // A client that is gone is asked again when it comes back.
      this.#server.ask(id, params, ctx.mcpReq.id).catch(() => this.#asked.delete(id));
    }
  }

  #remember(id: string): void {
    this.#asked.add(id);
    const [oldest] = this.#asked;
    if (this.#asked.size > REMEMBERED && oldest !== undefined) this.#asked.delete(oldest);
  }

  #take(id: string, result: unknown): boolean {
    const [, taskId, key] = /^task-input:([^:]+):(.+)$/.exec(id) ?? [];
    if (taskId === undefined || key === undefined) return false;
    const store = (answer: Answer) => this.#tasks.answer(taskId, this.#owner, { [key]: answer }).then(() => {});
    // An error, or what does not fit, is no answer that the job could use; it must not wait for another one for ever.
    const give = async () => await store(answerOf(result, key));
    give().catch((error) => error instanceof InvalidInput ? store({ action: "cancel" }) : undefined).catch(() => {});
    return true;
  }
}
