/**
 * Repeated refusals: the first of a kind is written at once, and the others together, with their number.
 *
 * @module
 */
import { remember } from "../recent.ts";
import type { AuditEvent } from "../tasks/audit.ts";

const MAX_KINDS = 1_000;

/** The last of several refusals of a kind, and how many there were. */
export type Repeated = AuditEvent & { readonly count: number };

/** A kind of refusal, and how many have happened since it was last written. */
interface Kind {
  last: AuditEvent;
  count: number;
}

export class RepeatedRefusals {
  readonly #kinds = new Map<string, Kind>();

  get size(): number {
    return this.#kinds.size;
  }

  /** Adds an event, and returns what is to be written now. */
  add(event: AuditEvent): readonly (AuditEvent | Repeated)[] {
    if (event.event !== "refused") return [event];
    const name = kindOf(event);
    const known = this.#kinds.get(name);
    if (known !== undefined) {
      known.last = event;
      known.count++;
      return [];
    }
    const forgotten = remember(this.#kinds, name, { last: event, count: 0 }, MAX_KINDS);
    return [...repeatedOf(forgotten?.[1]), event];
  }

  /** Returns what has repeated since it was last written. Kinds that have not are forgotten. */
  take(): readonly Repeated[] {
    const kinds = [...this.#kinds];
    this.#kinds.clear();
    for (const [name, { last, count }] of kinds) if (count > 0) this.#kinds.set(name, { last, count: 0 });
    return kinds.flatMap(([, kind]) => repeatedOf(kind));
  }
}

function repeatedOf(kind: Kind | undefined): readonly Repeated[] {
  return kind === undefined || kind.count === 0 ? [] : [{ ...kind.last, count: kind.count }];
}

/** Who was refused what, and why. */
function kindOf({ operation, principal, client, address, job, reason }: AuditEvent): string {
  return JSON.stringify([operation, principal, client, address, job, reason]);
}
