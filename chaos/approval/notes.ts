/** What the code of jobs with steps has noted, and whether a step ran again that was recorded. Pure. */

/** A line of a worker's output. */
export interface Note {
  /** The task's id, and the number of its plan: a client whose server died may have started two tasks of one plan. */
  readonly task: string;
  readonly number: number;
  /** When it was noted, in ms since the epoch. */
  readonly at: number;
  /** The code stands at a point, a step runs, or the code has the step's result, which is recorded by then. */
  readonly what: "at" | "ran" | "has";
  /** The name of the point or the step. */
  readonly name: string;
  /** What the step returned: another text whenever it runs. */
  readonly mark?: string;
}

/** The note in a line of a worker's output, if there is one. */
export function parseNote(line: string): Note | undefined {
  return line.startsWith("{") ? JSON.parse(line) : undefined;
}

/** The steps that ran after they had been recorded, each with the notes of it. */
export function runAgain(notes: readonly Note[]): readonly string[] {
  const steps = Map.groupBy(notes.filter(({ what }) => what !== "at"), ({ task, name }) => `${task} ${name}`);
  return [...steps].flatMap(([step, notes]) => {
    const recorded = notes.filter(({ what }) => what === "has");
    const first = Math.min(...recorded.map(({ at }) => at));
    const again = notes.some(({ what, at }) => what === "ran" && at > first);
    return again || new Set(recorded.map(({ mark }) => mark)).size > 1 ? [`${step}: ${JSON.stringify(notes)}`] : [];
  });
}
