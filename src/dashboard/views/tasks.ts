/**
 * One page of tasks that follows the events: a change of a task that is shown costs no read of the store.
 *
 * @module
 */
import type { TaskEvent } from "../../backend.ts";
import type { Operator, TaskFilter } from "../../contract/operator.ts";
import { matches } from "../../operator/filter.ts";
import { isNewer } from "../../recent.ts";
import type { TaskInfo } from "../../task.ts";
import type { TasksShown } from "../wire.ts";
import { FRAME_MS, type View } from "./view.ts";

/** How often the page is read from the store at most, in ms, while events add and remove tasks. */
const REREAD_MS = 1_000;

/** How often it is read even without such events, in ms. */
const PERIOD_MS = 10_000;

/** The most reads of the store for one page; tasks that are not found by then are on the next one. */
const MAX_READS = 20;

/** A page of tasks, newest first. */
export class TasksView implements View {
  readonly pause = FRAME_MS;
  readonly #operator: Operator;
  readonly #filter: TaskFilter & { readonly limit: number };
  /** `undefined` before the first reading. */
  #tasks: readonly TaskInfo[] | undefined;
  #nextCursor: string | undefined;
  #jobs: readonly string[] = [];
  /** Whether tasks have joined or left the page since it was read, so that only the store knows its end. */
  #stale = true;
  #readAt = -Infinity;
  #jobsReadAt = -Infinity;
  /** What came while the store is being read; `undefined` while it is not. */
  #meanwhile: TaskEvent[] | undefined;

  constructor(operator: Operator, filter: TaskFilter & { readonly limit: number }) {
    this.#operator = operator;
    this.#filter = filter;
  }

  get period(): number {
    return this.#stale ? REREAD_MS : PERIOD_MS;
  }

  observe(event: TaskEvent): boolean {
    this.#meanwhile?.push(event);
    return this.#apply(event);
  }

  #apply(event: TaskEvent): boolean {
    const before = this.#tasks;
    if (event.kind === "gap" || before === undefined) {
      this.#stale = true;
      return true;
    }
    const { task } = event;
    const known = before.find(({ id }) => id === task.id);
    if (!isNewer(task, known)) return false;
    const belongs = matches(task, this.#filter) && (known !== undefined || this.#hasPlaceFor(task));
    if (!belongs && known === undefined) return false;
    const others = before.filter(({ id }) => id !== task.id);
    const tasks = belongs ? [...others, task].sort((a, b) => a.id < b.id ? 1 : -1) : others;
    this.#stale ||= tasks.length !== before.length;
    this.#tasks = tasks.slice(0, this.#filter.limit);
    return true;
  }

  async read(): Promise<TasksShown> {
    const now = Date.now();
    if (performance.now() - this.#readAt >= this.period) await this.#reread();
    return {
      view: "tasks",
      now,
      tasks: this.#tasks ?? [],
      ...(this.#nextCursor !== undefined && { nextCursor: this.#nextCursor }),
      jobs: this.#jobs,
    };
  }

  async #reread(): Promise<void> {
    const start = performance.now();
    this.#meanwhile = [];
    try {
      const [page] = await Promise.all([this.#readPage(), this.#readJobs(start)]);
      this.#tasks = page.tasks;
      this.#nextCursor = page.nextCursor;
      this.#stale = false;
      this.#readAt = start;
      // They may be newer than what the store returned.
      for (const event of this.#meanwhile) this.#apply(event);
    } finally {
      this.#meanwhile = undefined;
    }
  }

  /** Their names come from counting all tasks, which costs more than reading a page. */
  async #readJobs(now: number): Promise<void> {
    if (now - this.#jobsReadAt < PERIOD_MS) return;
    this.#jobs = (await this.#operator.counts()).map(({ job }) => job);
    this.#jobsReadAt = now;
  }

  /** A page of the store may have fewer tasks than asked for, and yet not be the last: with a filter that fits few of many. */
  async #readPage(): Promise<{ readonly tasks: readonly TaskInfo[]; readonly nextCursor?: string }> {
    const tasks: TaskInfo[] = [];
    let { cursor } = this.#filter;
    for (let reads = 0; reads < MAX_READS; reads++) {
      const page = await this.#operator.tasks({ ...this.#filter, cursor, limit: this.#filter.limit - tasks.length });
      tasks.push(...page.tasks);
      cursor = page.nextCursor;
      if (cursor === undefined || tasks.length === this.#filter.limit) break;
    }
    return { tasks, nextCursor: cursor };
  }

  /** Whether a task that is not shown belongs on this page: after its first task, unless that is the newest, and before its last. */
  #hasPlaceFor({ id }: TaskInfo): boolean {
    const [first] = this.#tasks ?? [];
    const last = this.#tasks?.at(-1);
    const isBeforeEnd = last === undefined || this.#nextCursor === undefined || id > last.id;
    return isBeforeEnd && (this.#filter.cursor === undefined || first !== undefined && id < first.id);
  }
}
