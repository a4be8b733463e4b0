/**
 * Random sequences of what may happen to a task.
 *
 * @module
 */
import type { Attempt, NewLogLine, NewTask } from "../../../../../src/backend.ts";
import { isAbandoned } from "../../../../../src/backends/shared/record.ts";
import { newTaskId } from "../../../../../src/ids.ts";
import { type Answer, type ContentPart, isFinished, type Json, openQuestions } from "../../../../../src/task.ts";
import { logLine, type NewLines } from "../../../../../src/task_log/newest_lines.ts";
import { LOG_LEVELS } from "../../../../../src/task_log/levels.ts";
import type { Event } from "./events.ts";
import { isHeld, type Model } from "./model.ts";

/** The owner of all tasks. */
export const OWNER = "ann";

const TEXTS = ["no luck", "", "null", "NUL \0, ü, 😀", "x".repeat(1_500)];
const VALUES: readonly Json[] = [
  null,
  "done",
  { sum: 1 },
  { "mcp-jobs": 1 },
  { "mcp-jobs": 1, content: true },
  ["x".repeat(40_000)],
];
const CONTENT: readonly ContentPart[] = [
  { type: "text", text: "a chart" },
  { type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" },
];
const NAMES = ["pay", 'the "second" step, 世'];
const KEYS = ["color", "size", "both"];
const ANSWERS: readonly Answer[] = [{ action: "accept", content: { ok: true } }, { action: "decline" }];
const HOUR = 3_600_000;

/** Draws from what a seed gives. */
export class Draw {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** One of these. */
  from<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T; // `undefined` may be one of them.
  }

  /** The name of one of these, each as often as its weight says. */
  weighted<K extends string>(weights: { readonly [name in K]: number }): K {
    const entries = Object.entries<number>(weights) as [K, number][];
    let at = this.#random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    const chosen = entries.find(([, weight]) => (at -= weight) < 0) ?? entries.at(-1);
    if (chosen === undefined) throw new Error("Cannot choose from nothing.");
    return chosen[0];
  }
}

/** A new task of a job. */
export function newTask(draw: Draw, job: string): NewTask {
  return {
    id: newTaskId(),
    job,
    owner: OWNER,
    input: { n: 1 },
    resultTtl: HOUR,
    retry: {
      attempts: draw.from([1, 2, 3]),
      ...draw.from([{ delay: 0, maxDelay: 0 }, { delay: HOUR, maxDelay: HOUR }]),
    },
    ...draw.from([{}, { delay: HOUR }]),
    ...draw.from([{}, { priority: 5 }]),
  };
}

/** What happens next to a task that stands so. `lateRuns`: how many runs are still to end that no longer hold it. */
export function nextEvent(draw: Draw, model: Model, lateRuns: number): Event {
  const { info } = model.record;
  const late = lateRuns > 0 ? 6 : 0;
  const outside = {
    answer: openQuestions(info).length > 0 ? 20 : 2,
    "end late": late,
    "ask late": late / 2,
    "report late": late / 2,
    "record late": late / 2,
    "park late": late / 2,
    cancel: 5,
  };
  if (isFinished(info)) return event(draw, draw.weighted({ ...outside, expire: 4 }));
  if (!isHeld(model)) return event(draw, draw.weighted({ ...outside, claim: 40 }));
  return event(
    draw,
    draw.weighted({ ...outside, report: 15, ask: 15, park: 18, record: 6, settle: 18, "hand back": 14, die: 10 }),
  );
}

function event(draw: Draw, kind: Event["kind"]): Event {
  switch (kind) {
    case "report":
    case "report late":
      return {
        kind,
        report: { progress: draw.from([undefined, 0, 0.25, 1]), message: draw.from([undefined, ...TEXTS]) },
        added: draw.from([{ skipped: 0, lines: [] }, lines(draw)]),
      };
    case "ask":
    case "ask late": {
      const keys = draw.from([[draw.from(KEYS)], KEYS.slice(1)]);
      const schema = { type: "object", properties: {} };
      const time = draw.from([{}, { expiresIn: HOUR }, { expiresIn: 0 }]);
      return { kind, questions: keys.map((key) => ({ key, message: `Which ${key}?`, schema, ...time })) };
    }
    case "park":
    case "park late": {
      // Some questions may no longer be open.
      const keys = KEYS.filter(() => draw.chance(0.6));
      const until = draw.from([undefined, undefined, Date.now() + HOUR, Date.now() - HOUR]);
      return { kind, awaited: { keys, until } };
    }
    case "record":
    case "record late":
      return {
        kind,
        step: {
          index: draw.from([0, 1, 10]),
          text: JSON.stringify({ name: draw.from(NAMES), place: 0, value: draw.from(VALUES) }),
        },
      };
    case "answer":
      return {
        kind,
        answers: { [draw.from([...KEYS, "unknown"])]: draw.from(ANSWERS), [draw.from(KEYS)]: draw.from(ANSWERS) },
      };
    case "cancel":
      return { kind, work: draw.from(["ask", "ask", "stop_requested"]) };
    case "settle":
      return { kind, attempt: attempt(draw) };
    case "end late": {
      const how = draw.from(["settled", "settled", "cancelled", "handed back"] as const);
      const abandoned = draw.chance(0.2);
      if (how !== "settled") return { kind, end: { kind: how, abandoned } };
      const settled = attempt(draw);
      return { kind, end: { kind: how, attempt: settled, abandoned: isAbandoned(settled) } };
    }
    case "hand back":
      return { kind, abandoned: draw.chance(0.2) };
    case "die":
      return { kind, taken: draw.chance(0.5) };
    case "claim":
    case "expire":
      return { kind };
  }
}

/** Some lines: few, as many as are kept, or so long that few are kept. */
function lines(draw: Draw): NewLines {
  const long = draw.chance(0.2) ? "世".repeat(1_000) : "";
  const most = long === "" ? 150 : 30;
  const line = (): NewLogLine => logLine(Date.now(), draw.from(LOG_LEVELS), draw.from(TEXTS) + long);
  return { skipped: draw.from([0, 0, 7]), lines: Array.from({ length: draw.from([1, 3, most]) }, line) };
}

function attempt(draw: Draw): Attempt {
  const kind = draw.weighted({ value: 2, error: 5, fault: 1 });
  if (kind === "value") return { kind, value: draw.from(VALUES), ...(draw.chance(0.2) && { content: CONTENT }) };
  const message = draw.from(TEXTS);
  if (kind === "fault") return { kind, message, ...draw.from([{}, { code: -32_001 }]) };
  const abandoned = draw.chance(0.1);
  return abandoned ? { kind, message, retry: true, abandoned } : { kind, message, retry: draw.chance(0.8) };
}
