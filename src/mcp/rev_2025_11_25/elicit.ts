/**
 * The questions of tasks, on their way to the person in front of a client.
 *
 * @module
 */
import { InvalidInput, TaskNotFound } from "../../errors.ts";
import { remember } from "../../recent.ts";
import type { Answer, TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { tryAgain } from "../../waiting.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import { PutQuestions } from "./open_elicitations.ts";
import { relatedTask } from "./wire.ts";
import { answerOf, declaresForms, elicitation, questionsToPut } from "../words.ts";

/** How many questions of a connection are remembered as asked. One that is still open after as many others is asked again. */
const REMEMBERED = 1_000;

/** After which pauses an answer that could not be stored is tried again, in ms: nobody likes to give it twice. */
const PAUSES_MS: readonly number[] = [200, 1_000, 2_000];

/** No stream has this name: what was taken back is not put again. */
const TAKEN_BACK = "";

/** Puts the questions of tasks to the client of one 2025-11-25 connection; each once, unless it or its answer was lost. */
export class Asker {
  readonly #server: TaskServer;
  readonly #tasks: Tasks;
  readonly #owner: string;
  readonly #pauses: readonly number[];
  /** The stream on which each question was heard, by its id; `undefined` where that was broken. */
  readonly #asked = new Map<string, string | undefined>();
  readonly #put: PutQuestions;
  /** The questions whose answers are being stored. */
  readonly #storing = new Set<string>();

  constructor(server: TaskServer, tasks: Tasks, owner: string, pauses: readonly number[] = PAUSES_MS) {
    this.#pauses = pauses;
    this.#server = server;
    this.#tasks = tasks;
    this.#owner = owner;
    this.#put = new PutQuestions(tasks);
    server.onAnswer = (id, answer) => this.#take(id, answer);
    server.onReplay = (id, stream) => this.#replay(id, stream);
  }

  /**
   * Asks what a task has open, on the stream of an open request of the client: one about the task, or a plain call, whose
   * client has not heard of a task and would take its question for that of somebody else.
   */
  ask(task: TaskInfo, ctx: RequestContext, call?: { readonly cancels: boolean }): void {
    if (!declaresForms(this.#server.getClientCapabilities())) return;
    for (const question of questionsToPut(task)) {
      // An id that names task and question: whoever gets the answer knows where it belongs.
      const id = `task-input:${task.id}:${question.key}`;
      const stream = this.#server.heardOn(ctx.mcpReq.id);
      // On a broken stream it waits for a client that resumes. It is put again to one that does not, where that hears it.
      if (this.#asked.has(id) && (stream === undefined || this.#asked.get(id) !== undefined)) continue;
      this.#remember(id, stream);
      const put = async () => {
        // A worker of another version may have stored what this one cannot put.
        const params = { ...elicitation(question), ...(!call && { _meta: relatedTask(task.id) }) };
        await this.#server.ask(id, params, ctx.mcpReq.id);
      };
      this.#put.add(task, question.key, () => this.#takeBack(id, ctx));
      // At once: the stream of a cancelled call ends before its task does.
      if (call?.cancels) ctx.mcpReq.signal.addEventListener("abort", () => this.#put.takeBack(task.id), { once: true });
      // A client that is gone is asked again when it comes back.
      put().catch(() => this.#forget(id));
    }
  }

  /** Follows no task any more. */
  close(): void {
    this.#put.close();
  }

  #takeBack(id: string, ctx: RequestContext): void {
    this.#remember(id, TAKEN_BACK);
    this.#server.takeBack(id, ctx.mcpReq.id).catch(() => {});
  }

  #remember(id: string, stream: string | undefined): void {
    const forgotten = remember(this.#asked, id, stream, REMEMBERED);
    if (forgotten) this.#forget(forgotten[0]);
  }

  #forget(id: string): void {
    this.#asked.delete(id);
    const [taskId, key] = partsOf(id);
    if (taskId !== undefined && key !== undefined) this.#put.settle(taskId, key);
  }

  /** Whether a question is still to be put to a client that resumes a stream: not if it was heard on another one. */
  #replay(id: string, stream: string): boolean {
    if ((this.#asked.get(id) ?? stream) !== stream) return false;
    this.#remember(id, stream);
    return true;
  }

  #take(id: string, result: unknown): boolean {
    const [taskId, key] = partsOf(id);
    if (taskId === undefined || key === undefined) return false;
    this.#put.settle(taskId, key);
    const store = async (answer: Answer) => void await this.#tasks.answer(taskId, this.#owner, { [key]: answer });
    this.#keep(id, async () => {
      try {
        await store(answerOf(result, key));
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        // An error, or what does not fit, is no answer that the job could use; it must not wait for another one for ever.
        await store({ action: "cancel" });
      }
    });
    return true;
  }

  /** Stores an answer. While that fails it is tried again; where it fails to the end, the question is put again. */
  async #keep(id: string, store: () => Promise<void>): Promise<void> {
    if (this.#storing.has(id)) return;
    this.#storing.add(id);
    // An answer to what was not asked here is not held: anybody could send many of them.
    const pauses = this.#asked.has(id) ? this.#pauses : [];
    const kept = await tryAgain(store, pauses, (error) => error instanceof TaskNotFound);
    this.#storing.delete(id);
    if (!kept) this.#asked.delete(id);
  }
}

/** The task and the key of a question, by the id under which it is put. */
function partsOf(id: string): readonly string[] {
  return /^task-input:([^:]+):(.+)$/.exec(id)?.slice(1) ?? [];
}
