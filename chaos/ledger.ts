/** The ledger of a chaos run: compares what was sent with what came back. Pure. */
import { numberIn, type ReportedEnd } from "./reported_end.ts";

/** What is planned for one task. */
export interface Planned {
  readonly number: number;
  readonly ms: number;
  readonly fail: boolean;
}

/** After the death of so many of its workers, a task is not tried again. */
export const DEADLY = 3;

/** The result of a run. */
export interface Verdict {
  readonly sent: number;
  readonly completed: number;
  readonly failedAsPlanned: number;
  /** Ended because too many of its workers were killed. */
  readonly died: number;
  readonly lost: number;
  readonly doubled: number;
  /** The first few tasks that are not as they should be. */
  readonly examples: readonly string[];
}

/** Records what was sent and what was reported. */
export class Ledger {
  readonly #sent = new Map<string, Planned>();
  readonly #reported = new Map<string, ReportedEnd[]>();

  /** A server has given out an id for a task. */
  sent(id: string, planned: Planned): void {
    this.#sent.set(id, planned);
  }

  /** A server has reported how a task ended. */
  reported(id: string, end: ReportedEnd): void {
    this.#reported.set(id, [...this.#reported.get(id) ?? [], end]);
  }

  /** What was reported of a task most recently. */
  lastReported(id: string): ReportedEnd {
    return this.#reported.get(id)?.at(-1) ?? { kind: "unknown", text: "" };
  }

  /** The ids given out. */
  get ids(): readonly string[] {
    return [...this.#sent.keys()];
  }

  /**
   * Judges. Lost: a task whose id was given out and that did not end as planned, unless its workers were killed too often;
   * `kills` tells how many were killed while it ran. Doubled: a task that was reported to have ended in two ways, by
   * different servers or at different times.
   */
  judge(kills: (id: string) => number): Verdict {
    let [completed, failedAsPlanned, died, lost, doubled] = [0, 0, 0, 0, 0];
    const examples: string[] = [];
    for (const [id, planned] of this.#sent) {
      const ends = this.#reported.get(id) ?? [];
      const [first] = ends;
      const different = new Set(ends.map(({ kind, text }) => `${kind} ${text}`)).size > 1;
      if (different) doubled++;
      const good = first !== undefined && isAsPlanned(planned, first);
      if (first?.kind === "died" && kills(id) >= DEADLY) died++;
      else if (!good) lost++;
      else if (planned.fail) failedAsPlanned++;
      else completed++;
      if (different || !good) examples.push(`${id} ${JSON.stringify(planned)} ${JSON.stringify(ends)}`);
    }
    return { sent: this.#sent.size, completed, failedAsPlanned, died, lost, doubled, examples: examples.slice(0, 5) };
  }
}

function isAsPlanned({ number, fail }: Planned, { kind, text }: ReportedEnd): boolean {
  return kind === (fail ? "failed" : "completed") && numberIn(text) === number;
}
