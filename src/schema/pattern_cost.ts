/**
 * How long a pattern can keep the process busy. JavaScript matches by backtracking: if a text can be read in many ways and
 * matches in none, every way is tried.
 *
 * @module
 */
import { CharSet } from "refa";
import { type Automaton, automatonOf, type Ways } from "./automaton.ts";
import { components } from "./components.ts";

/** The most positions of one loop, and steps from one loop to another, that are analysed. */
const MAX_IN_LOOP = 400;
const MAX_STEPS = 1_000_000;

/** Up to how many times a limited repetition of a pattern that is too large is written out. */
const FEW_COPIES = 8;

/** The power of a pattern that is too large to be analysed. */
const UNKNOWN = 2;

/** The most patterns whose cost is kept. */
const MAX_KNOWN = 1_000;

/** Powers by pattern: a library such as zod writes the same one for each date, whichever schema it stands in. */
const known = new Map<string, number>();

/**
 * With which power of its length a text can take time to be matched, in the worst case: 1 is linear, `Infinity` exponential.
 * By the criteria of Weber and Seidl (On the degree of ambiguity of finite automata, 1991). A pattern that is too large to be
 * analysed counts as 2.
 */
export function patternPower(pattern: string): number {
  const power = known.get(pattern) ?? analyse(pattern);
  if (known.size < MAX_KNOWN) known.set(pattern, power);
  return power;
}

function analyse(pattern: string): number {
  try {
    const automaton = automatonOf(pattern);
    const graph = new Graph(automaton);
    return graph.isExponential() ? Infinity : tried(automaton, graph.power());
  } catch { // As below.
    return isExponentialAtLarge(pattern) ? Infinity : UNKNOWN;
  }
}

/** Whether a pattern that is too large would take exponential time if most of its limited repetitions had no limit. */
function isExponentialAtLarge(pattern: string): boolean {
  try {
    return new Graph(automatonOf(pattern, FEW_COPIES)).isExponential();
  } catch {
    // It is still too large, or not a regular expression, which the library that uses it will report.
    return false;
  }
}

/** How long the texts are that are tried, how many different ones, and how many ways at each character are still few. */
const TRIED_LENGTH = 100;
const MAX_TRIED = 50;
const FEW_WAYS = 20;

/** How many steps a way through limited repetitions counts as, because they are counted at each of its characters. */
const STEPS_OF_WAY = 10;

/**
 * The power, at least that of the loops, by the number of ways in which some texts can be read: those of one repeated character,
 * and one whose next character is always that with the most ways. With limited repetitions within each other, as in
 * `(\w{1,30} ?){1,10}`, there may be very many, although they do not grow with the text for ever.
 */
function tried({ characters, follow, first, searches }: Automaton, power: number): number {
  const some = [...new Set(characters.flatMap(({ ranges }) => ranges.map(({ min }) => min)))].slice(0, MAX_TRIED);
  // Those that end, as within `\b`, cost little.
  const count = (ways: Ways) => ways.entries().reduce((sum, [at, times]) => sum + (follow[at]?.size ? times : 0), 0);
  const after = (ways: Ways, character: number): Ways => {
    const next = new Map<number, number>(searches ? first : []);
    for (const [from, times] of ways) {
      if (!characters[from]?.has(character)) continue;
      for (const [to, more] of follow[from] ?? []) next.set(to, (next.get(to) ?? 0) + times * more);
    }
    return next;
  };
  const countAll = (step: (ways: Ways) => Ways) => {
    let ways = first;
    let all = 0;
    for (let length = 0; length < TRIED_LENGTH; length++) {
      all += count(ways);
      ways = step(ways);
    }
    return all;
  };
  const most = [
    ...some.map((character) => countAll((ways) => after(ways, character))),
    countAll((ways) =>
      some.map((one) => after(ways, one)).reduce<Ways>((a, b) => count(b) > count(a) ? b : a, new Map())
    ),
  ];
  const ways = Math.max(1, ...most) / TRIED_LENGTH;
  // A single limited repetition that can begin at each character has fewer than 100.
  if (ways <= Math.max(TRIED_LENGTH, FEW_WAYS * TRIED_LENGTH ** (power - 1))) return power;
  return Math.max(power, Math.ceil(1 + Math.log(ways * STEPS_OF_WAY) / Math.log(TRIED_LENGTH)));
}

/** The positions of a pattern, and which can follow each. */
class Graph {
  readonly #characters: readonly CharSet[];
  readonly #next: readonly (readonly number[])[];
  /** The positions to which a text can return, grouped by loop. */
  readonly #loops: readonly (readonly number[])[];
  readonly #isAmbiguous: (from: number, to: number) => boolean;
  readonly #readsBack: boolean;
  #steps = 0;

  constructor({ characters, follow, first, searches, readsBack }: Automaton) {
    this.#readsBack = readsBack;
    const next = follow.map((ways) => [...ways.keys()]);
    const [some] = characters;
    // A search that may start anywhere first skips any characters, which is a loop like the others.
    const skips = searches && some !== undefined;
    this.#characters = skips ? [...characters, CharSet.all(some.maximum)] : characters;
    this.#next = skips ? [...next, [next.length, ...first.keys()]] : next;
    this.#isAmbiguous = (from, to) => (follow[from]?.get(to) ?? 0) > 1;
    this.#loops = components(this.#next.keys(), (at) => this.#after(at))
      .filter((loop) => loop.length > 1 || loop.some((at) => this.#after(at).includes(at)));
  }

  /** Whether a text leads from a position back to it in two ways, so that each round doubles the number of ways. */
  isExponential(): boolean {
    return this.#loops.some((loop) => {
      const inside = new Set(loop);
      const after = (at: number) => this.#after(at).filter((to) => inside.has(to));
      if (loop.some((at) => after(at).some((to) => this.#isAmbiguous(at, to)))) return true;
      if (loop.length === 1 || loop.length > MAX_IN_LOOP) return false;
      // Two readings of one text advance together; a pair holds their positions.
      const size = this.#next.length;
      const isSame = (pair: number) => Math.floor(pair / size) === pair % size;
      const steps = (pair: number) =>
        after(Math.floor(pair / size)).flatMap((a) =>
          after(pair % size).filter((b) => this.#overlap(a, b)).map((b) => a * size + b)
        );
      return components(loop.map((at) => at * size + at), steps)
        .some((pairs) => pairs.some(isSame) && !pairs.every(isSame));
    });
  }

  /**
   * Where a text can stay in one loop, lead on to another, and stay there too, it can move on at any point: that multiplies the
   * ways by its length, for each such pair of loops that it can pass. With a backreference, or a lookbehind of any length, long
   * parts of it may be read again at any point.
   */
  power(): number {
    const powers = new Map<readonly number[], number>();
    // Those to which a loop leads come before it.
    for (const from of this.#loops) {
      const reached = this.#reachedFrom(from);
      const further = [...powers].filter(([[at]]) => at !== undefined && reached.has(at))
        .map(([to, power]) => power + (this.#connects(from, to) ? 1 : 0));
      powers.set(from, Math.max(1, ...further));
    }
    return Math.max(1, ...powers.values()) + (this.#readsBack ? 1 : 0);
  }

  #connects(from: readonly number[], to: readonly number[]): boolean {
    const [inFrom, inTo] = [new Set(from), new Set(to)];
    return from.some((a) => to.some((b) => this.#connectsLoops(a, inFrom, b, inTo)));
  }

  #reachedFrom(positions: readonly number[]): ReadonlySet<number> {
    const reached = new Set(positions);
    // Iterating over a set includes what is added on the way.
    for (const at of reached) for (const next of this.#after(at)) reached.add(next);
    return reached;
  }

  /** Whether one text leads from `from` to itself, from `from` to `to`, and from `to` to itself, each within its loop. */
  #connectsLoops(from: number, inFrom: ReadonlySet<number>, to: number, inTo: ReadonlySet<number>): boolean {
    const size = this.#next.length;
    const key = (a: number, b: number, c: number) => (a * size + b) * size + c;
    const goal = key(from, to, to);
    const seen = new Set([key(from, from, to)]);
    for (const state of seen) {
      if (state === goal) return true;
      if (++this.#steps > MAX_STEPS) throw new RangeError("The pattern has too many loops.");
      const [a, b, c] = [Math.floor(state / size / size), Math.floor(state / size) % size, state % size];
      for (const x of this.#after(a)) {
        if (!inFrom.has(x)) continue;
        for (const y of this.#after(b)) {
          if (!this.#overlap(x, y)) continue;
          for (const z of this.#after(c)) if (inTo.has(z) && this.#overlap(x, y, z)) seen.add(key(x, y, z));
        }
      }
    }
    return false;
  }

  #after(position: number): readonly number[] {
    return this.#next[position] ?? [];
  }

  /** Whether there is a character that all these positions accept. */
  #overlap(...positions: readonly number[]): boolean {
    const [first, ...others] = positions.map((at) => this.#characters[at]);
    return others.reduce((all, other) => all && other && all.intersect(other), first)?.isEmpty === false;
  }
}
