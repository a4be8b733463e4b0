/** What the lines of all runs say: how many ran at once, and which began during a pause. */
import type { RunEvent } from "./jobs.ts";

/** A time from and to, in ms since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A run of a task. */
export interface Run extends Span {
  readonly task: string;
  /** Whether it has said its end: that of one that was killed, or that has lost its task, is the end of its process. */
  readonly ended: boolean;
}

/** What one process has written. */
export interface Witness {
  readonly events: RunEvent[];
  /** When it was dead or had ended: what had not ended by then did so. */
  over: number;
}

/** The runs of a job. One that was killed ended with its process. A task that ran twice in one process also ended twice. */
export function runsOf(job: string, witnesses: readonly Witness[]): readonly Run[] {
  return witnesses.flatMap(({ events, over }) => {
    const ends = Map.groupBy(events.filter(({ kind }) => kind === "end"), ({ task }) => task);
    const begun = events.filter((line) => line.kind === "begin" && line.job === job);
    return begun.map(({ task, at }) => {
      const end = ends.get(task)?.shift();
      return { task, from: at, to: end?.at ?? over, ended: end !== undefined };
    });
  });
}

/** The most runs at the same moment. */
export function mostAtOnce(runs: readonly Span[]): number {
  const changes = runs.flatMap(({ from, to }) => [{ at: from, by: 1 }, { at: to, by: -1 }]);
  // Of what happens in the same millisecond, ends come first.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let [now, most] = [0, 0];
  for (const { by } of changes) most = Math.max(most, now += by);
  return most;
}

/** For each run during whose first moment more than `most` ran: all that ran then, to find out why. */
export function excesses(runs: readonly Run[], most: number): readonly (readonly Run[])[] {
  return runs
    .map(({ from }) => runs.filter((run) => run.from <= from && from < run.to))
    .filter(({ length }) => length > most);
}

/** How many runs began within these times. */
export function begunWithin(runs: readonly Span[], spans: readonly Span[]): number {
  return runs.filter(({ from }) => spans.some((span) => span.from <= from && from < span.to)).length;
}
