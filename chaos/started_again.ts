/** Whether a plain call that was repeated started its task again, and why. Pure. */

/** What happened during the calls of one plain client. */
export interface Circumstances {
  /** How often a server died, or its store did, so that the task could not be left to the next call. */
  readonly deaths: number;
  /** How often a result crossed the cancellation of its call: for the server, the call was answered. */
  readonly crossed: number;
}

/** How many tasks there are beyond one a client, by the reason. */
export interface StartedAgain {
  readonly afterDeath: number;
  readonly afterCrossing: number;
  readonly forNoReason: number;
  /** The numbers of the clients whose task was started again for no reason. */
  readonly examples: readonly number[];
}

/** Judges. `tasks` says how many tasks the store has of each client, and both maps have the number of the client's plan. */
export function judgeStarts(
  clients: ReadonlyMap<number, Circumstances>,
  tasks: ReadonlyMap<number, number>,
): StartedAgain {
  let [afterDeath, afterCrossing, forNoReason] = [0, 0, 0];
  const examples: number[] = [];
  for (const [number, { deaths, crossed }] of clients) {
    const more = Math.max(0, (tasks.get(number) ?? 0) - 1);
    const excused = Math.min(more, deaths);
    const crossings = Math.min(more - excused, crossed);
    afterDeath += excused;
    afterCrossing += crossings;
    const rest = more - excused - crossings;
    forNoReason += rest;
    if (rest > 0) examples.push(number);
  }
  return { afterDeath, afterCrossing, forNoReason, examples };
}
