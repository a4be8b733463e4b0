/**
 * `mcp-jobs watch`: follows tasks, with a bar for each.
 *
 * @module
 */
import type { Operator } from "../../backend.ts";
import { isNewer } from "../../recent.ts";
import { isFinished, type TaskInfo, TaskStatus } from "../../task.ts";
import { cut, escaped, oneLine } from "../../text.ts";
import { type Call, type Command, command, UsageError } from "../command.ts";
import { jsonOf, percent, stateOf } from "../format.ts";
import { text } from "../option.ts";
import { widthOf } from "../std.ts";
import { cutTo } from "../table.ts";

/** How often the bars are drawn at most, in ms. */
const DRAW_MS = 100;

/** How long a finished task stays among those that run, in ms. */
const LINGER_MS = 5_000;

export const watch: Command = command({
  name: "watch",
  about: "Follow unfinished tasks, or the named tasks until they finish",
  operands: ["[ID]..."],
  options: { job: text("NAME", "only those of this job") },
  run: async (call) => {
    const { backend, operator, operands, options: { job }, out, signal } = call;
    if (operands.length > 0 && job !== undefined) throw new UsageError("pass ids, or --job, not both.");
    const draw = out.terminal && !out.json ? new Bars(out, out.terminal) : new Lines(out);
    const tasks = new Map<string, TaskInfo>();
    const isShown = ({ id, job: of }: TaskInfo) => operands.length > 0 ? operands.includes(id) : !job || job === of;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const seen = (task: TaskInfo, before?: TaskInfo) => {
      const known = tasks.get(task.id);
      // Where nothing has come since the read began, a failover has lost what was later.
      const isLeft = before !== undefined && before === known && task.revision < before.revision;
      if (!isShown(task) || !(isNewer(task, known) || isLeft)) return;
      tasks.set(task.id, task);
      draw.changed(task);
      if (operands.length > 0 && operands.every((id) => isDone(tasks.get(id)))) end();
    };
    const reread = async () => {
      const before = new Map(tasks);
      for (const task of await current(operator, operands, job)) seen(task, before.get(task.id));
    };
    const failed = Promise.withResolvers<never>();
    const leave = backend.watch((event) => {
      if (event.kind === "change") seen(event.task);
      else reread().catch(failed.reject);
    });
    signal.addEventListener("abort", () => end(), { once: true });
    const timer = setInterval(() => draw.draw(shown(tasks, operands)), DRAW_MS);
    try {
      await reread();
      if (signal.aborted) end();
      await Promise.race([over, failed.promise]);
    } finally {
      clearInterval(timer);
      leave();
      draw.draw(shown(tasks, operands));
    }
    const ended = operands.map((id) => tasks.get(id));
    return ended.every((task) => task?.status === "COMPLETED") ? 0 : 1;
  },
});

function isDone(task: TaskInfo | undefined): boolean {
  return task !== undefined && isFinished(task);
}

/** The tasks that are named, or those that are not finished. */
async function current(operator: Operator, ids: readonly string[], job?: string): Promise<readonly TaskInfo[]> {
  if (ids.length > 0) return await Promise.all(ids.map((id) => operator.get(id)));
  const states = [TaskStatus.RUNNING, TaskStatus.INPUT_REQUIRED, TaskStatus.RETRYING, TaskStatus.PENDING];
  const pages = await Promise.all(states.map((status) => operator.tasks({ status, job })));
  return pages.flatMap(({ tasks }) => tasks);
}

/**
 * The tasks to be drawn: those that wait for a worker last, and the oldest first. Finished ones that were not named
 * disappear after a while.
 */
export function shown(tasks: Map<string, TaskInfo>, named: readonly string[]): readonly TaskInfo[] {
  const now = Date.now();
  for (const task of tasks.values()) {
    if (named.length === 0 && isFinished(task) && task.updatedAt + LINGER_MS < now) tasks.delete(task.id);
  }
  const waits = ({ status }: TaskInfo) => status === "PENDING" || status === "RETRYING" ? 1 : 0;
  return [...tasks.values()].sort((a, b) => waits(a) - waits(b) || (a.id < b.id ? -1 : 1));
}

/** One line for each change, where stdout is no terminal. */
class Lines {
  readonly #out: Call["out"];

  constructor(out: Call["out"]) {
    this.#out = out;
  }

  changed(task: TaskInfo): void {
    const { id, job, status, progress } = task;
    const line = [id, job, status, percent(progress), cut(stateOf(task), 500)].filter((part) => part !== "").join(" ");
    this.#out.write(`${this.#out.json ? jsonOf(task) : escaped(line)}\n`);
  }

  draw(): void {}
}

/** A bar for each task, drawn over the last ones. */
class Bars {
  readonly #out: Call["out"];
  readonly #columns: number;
  readonly #rows: number;
  #drawn = "";
  #lines = 0;

  constructor(out: Call["out"], { columns, rows }: { readonly columns: number; readonly rows: number }) {
    this.#out = out;
    this.#columns = columns;
    this.#rows = rows;
  }

  changed(): void {}

  draw(tasks: readonly TaskInfo[]): void {
    const fitting = tasks.slice(0, Math.max(1, this.#rows - 2));
    const lines = barsOf(fitting, this.#columns);
    if (fitting.length < tasks.length) lines.push("and more: mcp-jobs stats counts them");
    if (tasks.length === 0) lines.push("No task is under way.");
    const text = lines.join("\n");
    if (text === this.#drawn) return;
    const back = this.#lines > 0 ? `\x1b[${this.#lines}A` : "";
    this.#out.write(`${back}\x1b[0J${text}\n`);
    this.#drawn = text;
    this.#lines = lines.length;
  }
}

const LONGEST_BAR = 20;

/** A line for each task, cut to so many columns. A narrow terminal shortens the bars before anything is cut. */
export function barsOf(tasks: readonly TaskInfo[], columns: number): string[] {
  const widest = Math.max(0, ...tasks.map(({ status }) => status.length));
  const rows = tasks.map((task) => ({
    id: task.id,
    share: task.status === "COMPLETED" ? 1 : task.progress,
    rest: `${task.status.padEnd(widest)}  ${escaped(task.job)}`,
    message: oneLine(stateOf(task), 500),
  }));
  const others = Math.max(0, ...rows.map(({ id, rest }) => widthOf(`${id}    42%  ${rest}`)));
  const bar = Math.min(LONGEST_BAR, Math.max(0, columns - others - 1));
  return rows.map(({ id, share, rest, message }) => {
    const full = Math.round((share ?? 0) * bar);
    const drawn = bar === 0 ? "" : `${"█".repeat(full)}${"░".repeat(bar - full)} `;
    return cutTo(`${id}  ${drawn}${percent(share).padStart(4)}  ${rest}  ${message}`.trimEnd(), columns);
  });
}
