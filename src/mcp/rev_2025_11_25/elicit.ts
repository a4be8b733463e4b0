/**
 * Puts the questions of tasks to the person in front of a client (2025-11-25, "Elicitation").
 *
 * @module
 */
import { DefinitionError, InvalidInput, TaskNotFound } from "../../errors.ts";
import { remember } from "../../recent.ts";
import type { Answer, Question, TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { PAUSES_MS, tryAgain } from "../../waiting.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import { RESUMED_ELSEWHERE } from "../messages/message.ts";
import { answerOf, declaredAsking, elicitation, questionsToElicit } from "../questions.ts";
import { OpenElicitations } from "./open_elicitations.ts";
import { OpenPages } from "./open_pages.ts";
import { relatedTask } from "./wire.ts";

/** How many questions of a connection are remembered as sent. An older one that is still open is sent again. */
const REMEMBERED = 1_000;

/** Stands for a stream where a question was withdrawn. No stream has this name, so it is not sent again. */
const WITHDRAWN = "";

/** Puts the questions of tasks to the client of one connection, each once unless the question or its answer was lost. */
export class Elicitor {
  readonly #server: TaskServer;
  readonly #tasks: Tasks;
  readonly #owner: string;
  readonly #pauses: readonly number[];
  /** The stream on which each question was sent, by the id of its request; `undefined` if that stream was broken. */
  readonly #sent = new Map<string, string | undefined>();
  readonly #open: OpenElicitations;
  readonly #pages: OpenPages;
  /** The questions whose answers are being stored. */
  readonly #storing = new Set<string>();

  constructor(server: TaskServer, tasks: Tasks, owner: string, pauses: readonly number[] = PAUSES_MS) {
    this.#pauses = pauses;
    this.#server = server;
    this.#tasks = tasks;
    this.#owner = owner;
    this.#open = new OpenElicitations(tasks);
    this.#pages = new OpenPages(server, tasks);
    server.onAnswer = (id, answer) => this.#receive(id, answer);
    server.onReplay = (id, stream) => this.#shouldReplay(id, stream);
  }

  /**
   * Sends the open questions of a task that the client can ask on the stream of an open request: one about the task or, with
   * `call`, a plain call. The client of a plain call knows no task, so its questions name none. Returns those that the client
   * cannot ask.
   */
  ask(task: TaskInfo, ctx: RequestContext, call?: { readonly cancels: boolean }): readonly Question[] {
    const { askable, others } = questionsToElicit(task, declaredAsking(this.#server.getClientCapabilities()));
    for (const question of askable) {
      // The id names task and question, so any process that gets the answer knows where it belongs.
      const id = `task-input:${task.id}:${question.key}`;
      const stream = this.#server.openStreamOf(ctx.mcpReq.id);
      // A question on a broken stream waits for the client to resume that. If the client makes a new request instead, the
      // question is sent again on the new stream.
      if (this.#sent.has(id) && (stream === undefined || this.#sent.get(id) !== undefined)) continue;
      this.#remember(id, stream);
      if (question.url !== undefined) this.#pages.ask(id, ctx.mcpReq.id);
      const send = async () => {
        // A worker of another version may have stored a question that this one cannot turn into a form.
        const page = question.url === undefined ? {} : { elicitationId: id };
        const params = { ...elicitation(question), ...page, ...(!call && { _meta: relatedTask(task.id) }) };
        await this.#server.sendElicitation(id, params, ctx.mcpReq.id);
      };
      this.#open.add(task, question.key, () => this.#withdraw(id, ctx));
      // Immediately: the stream of a cancelled call ends before its task does.
      if (call?.cancels) {
        const { signal } = ctx.mcpReq;
        const withdraw = () => signal.reason === RESUMED_ELSEWHERE || this.#open.withdraw(task.id);
        signal.addEventListener("abort", withdraw, { once: true });
      }
      send().catch((error) => {
        this.#forget(id);
        // A client that is gone is asked again when it comes back.
        if (!(error instanceof DefinitionError)) return;
        this.#tasks.onError(error, { where: "ask a question", job: task.job, task: task.id });
      });
    }
    return others;
  }

  close(): void {
    this.#open.close();
    this.#pages.close();
  }

  #withdraw(id: string, ctx: RequestContext): void {
    this.#remember(id, WITHDRAWN);
    const params = { requestId: id, reason: "The question no longer needs an answer." };
    // A client that is gone no longer shows the question.
    this.#server.notifyAsked("notifications/cancelled", params, ctx.mcpReq.id).catch(() => {});
  }

  #remember(id: string, stream: string | undefined): void {
    const forgotten = remember(this.#sent, id, stream, REMEMBERED);
    if (forgotten) this.#forget(forgotten[0]);
  }

  #forget(id: string): void {
    this.#sent.delete(id);
    const [taskId, key] = partsOf(id);
    if (taskId !== undefined && key !== undefined) this.#open.remove(taskId, key);
  }

  /** Whether a client that resumes a stream gets a question on it: not if it got the question on another stream. */
  #shouldReplay(id: string, stream: string): boolean {
    if ((this.#sent.get(id) ?? stream) !== stream) return false;
    this.#remember(id, stream);
    return true;
  }

  /** Takes an answer. Returns whether the id is that of a question. */
  #receive(id: string, result: unknown): boolean {
    const [taskId, key] = partsOf(id);
    if (taskId === undefined || key === undefined) return false;
    this.#open.remove(taskId, key);
    const store = async (answer: Answer) => {
      const task = await this.#tasks.answer(taskId, this.#owner, () => ({ [key]: answer }));
      this.#pages.answered(id, task, answer);
    };
    this.#store(id, async () => {
      try {
        await store(answerOf(result, key));
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        // The job cannot use an error, or an answer that does not fit, and must not wait for another one forever.
        await store({ action: "cancel" });
      }
    });
    return true;
  }

  /** Stores an answer, and tries again if that fails. If every try fails, the question can be sent again. */
  async #store(id: string, store: () => Promise<void>): Promise<void> {
    if (this.#storing.has(id)) return;
    this.#storing.add(id);
    // An answer to a question that was not sent here is tried only once: anybody could send many of them.
    const pauses = this.#sent.has(id) ? this.#pauses : [];
    const failed = (error: unknown) => this.#tasks.onError(error, { where: "store an answer" });
    const stored = await tryAgain(store, (error) => error instanceof TaskNotFound, failed, pauses);
    this.#storing.delete(id);
    if (!stored) this.#sent.delete(id);
  }
}

/** The task and the key of a question, from the id of its request. */
function partsOf(id: string): readonly string[] {
  return /^task-input:([^:]+):(.+)$/.exec(id)?.slice(1) ?? [];
}
