/**
 * What the server sends to the page: types only, for both.
 *
 * @module
 */
import type { LogLine } from "../contract/log.ts";
import type { JobCounts, ScheduleInfo, WorkerInfo } from "../contract/operator.ts";
import type { Json, Outcome, TaskInfo } from "../task.ts";

/** What happened within one span of the charts. */
export interface Sample {
  /** When the span ended, in ms since the epoch. */
  readonly at: number;
  /** How long the span was, in ms: longer than others where the tasks could not be counted meanwhile. */
  readonly ms: number;
  /** How many tasks waited for a worker then. */
  readonly waiting: number;
  /** How many tasks workers held then. */
  readonly running: number;
  readonly created: number;
  readonly completed: number;
  readonly failed: number;
}

/** The jobs, and how they did in the last hour. */
export interface OverviewShown {
  readonly view: "overview";
  /** The time by the server's clock, in ms since the epoch. */
  readonly now: number;
  readonly jobs: readonly JobCounts[];
  /** The charts, oldest sample first. */
  readonly samples: readonly Sample[];
  /** When the first sample began, in ms since the epoch. */
  readonly since: number;
  readonly workers: number;
}

/** One page of tasks, newest first. */
export interface TasksShown {
  readonly view: "tasks";
  readonly now: number;
  readonly tasks: readonly TaskInfo[];
  /** For the page after this one. */
  readonly nextCursor?: string;
  /** The names of the jobs, to choose from. */
  readonly jobs: readonly string[];
}

/** Something that happened to a task. */
export interface TimelineEntry {
  /** When, in ms since the epoch. */
  readonly at: number;
  readonly text: string;
}

/** One task. Its input and outcome are read by requests of their own. */
export interface TaskShown {
  readonly view: "task";
  readonly now: number;
  /** Absent if there is no such task, or no longer. */
  readonly task?: TaskInfo;
  readonly timeline: readonly TimelineEntry[];
  /** The newest lines of its log, oldest first. */
  readonly log: readonly LogLine[];
}

export interface WorkersShown {
  readonly view: "workers";
  readonly now: number;
  readonly workers: readonly WorkerInfo[];
}

export interface SchedulesShown {
  readonly view: "schedules";
  readonly now: number;
  readonly schedules: readonly ScheduleInfo[];
}

/** What an open page shows. */
export type Shown = OverviewShown | TasksShown | TaskShown | WorkersShown | SchedulesShown;

/** A line of the stream: the whole of what the page shows, or why it cannot be read now. */
export type Line = Shown | { readonly view: "error"; readonly message: string };

/** The answer to `GET /api/tasks/<id>/input` and `/outcome`. */
export interface ValueRead {
  readonly input?: Json;
  readonly outcome?: Outcome;
}

/** The answer to an action. */
export interface Done {
  /** What was done, for people. */
  readonly message: string;
  /** The task to show now. */
  readonly task?: string;
}

/** The answer to a request that failed. */
export interface Refused {
  readonly error: string;
}
