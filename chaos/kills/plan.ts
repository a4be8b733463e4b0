/**
 * What a chaos run kills, and when. It depends on the seed and on the number of tasks alone, so that a slow machine and a
 * fast one do the same. Pure.
 */

/** What is killed, and for every how many tasks once. */
const PERIODS = { worker: 150, server: 150, database: 500 } as const;
export type Victim = keyof typeof PERIODS;

/** Each of them is killed at least so often. */
const LEAST = 3;

/** One kill. */
export interface Kill {
  readonly victim: Victim;
  /** It is due once so many tasks have ended. */
  readonly after: number;
  /** Which one of its kind is killed, from 0 to 1. */
  readonly which: number;
}

/** Plans the kills of a run of so many tasks: each at a random moment of its own part of the run. */
export function planKills(tasks: number, victims: readonly Victim[], random: () => number): readonly Kill[] {
  return victims.flatMap((victim) => {
    const count = Math.max(LEAST, Math.round(tasks / PERIODS[victim]));
    return Array.from({ length: count }, (_, index) => {
      const after = Math.floor(tasks * (index + random()) / count);
      return { victim, after, which: random() };
    });
  });
}
