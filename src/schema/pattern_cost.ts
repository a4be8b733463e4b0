/**
 * How long a pattern can keep the process busy. JavaScript matches by backtracking: if a text can be read in many ways and
 * matches in none, every way is tried.
 *
 * @module
 */
import { CharSet } from "refa";
import { automatonOf } from "./automaton.ts";
import { components } from "./components.ts";

/** How matching time grows with the length of the text, in the worst case. */
export type PatternCost = "linear" | "polynomial" | "exponential";

/** The most positions of one loop, pairs of loops, and steps of such a pair that are analysed. */
const MAX_IN_LOOP = 400;
const MAX_PAIRS = 4_000;
const MAX_STEPS = 200_000;

/** The most patterns whose cost is kept. */
const MAX_KNOWN = 1_000;

/** Costs by pattern: a library such as zod writes the same one for each date, whichever schema it stands in. */
const known = new Map<string, PatternCost>();

/**
 * Estimates how long a pattern can take, by the two criteria of Weber and Seidl (On the degree of ambiguity of finite
 * automata, 1991). A pattern that is too large to analyse counts as `polynomial`.
 */
export function patternCost(pattern: string): PatternCost {
  const cost = known.get(pattern) ?? analyse(pattern);
  if (known.size < MAX_KNOWN) known.set(pattern, cost);
  return cost;
}

function analyse(pattern: string): PatternCost {
  try {
    const graph = new Graph(pattern);
    if (graph.isExponential()) return "exponential";
    return graph.isPolynomial() ? "polynomial" : "linear";
  } catch {
    // It is too large, or not a regular expression, which the library that uses it will report.
    return "polynomial";
  }
}

/** The positions of a pattern, and which can follow each. */
class Graph {
  readonly #characters: readonly CharSet[];
  readonly #next: readonly (readonly number[])[];
  /** The positions to which a text can return, grouped by loop. */
  readonly #loops: readonly (readonly number[])[];
  readonly #isAmbiguous: (from: number, to: number) => boolean;
  readonly #readsBack: boolean;

  constructor(pattern: string) {
    const { characters, follow, searched, readsBack } = automatonOf(pattern);
    this.#readsBack = readsBack;
    const next = follow.map((ways) => [...ways.keys()]);
    const [some] = characters;
    // A search that may start anywhere first skips any characters, which is a loop like the others.
    const skips = searched !== undefined && some !== undefined;
    this.#characters = skips ? [...characters, CharSet.all(some.maximum)] : characters;
    this.#next = skips ? [...next, [next.length, ...searched.keys()]] : next;
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
   * Whether a text can stay in one loop, lead on to another, and stay there too: then it can move on at any point. With a
   * backreference, or a lookbehind of any length, long parts of it may be read again at any point.
   */
  isPolynomial(): boolean {
    if (this.#readsBack) return true;
    const positions = this.#loops.flat();
    if (positions.length ** 2 > MAX_PAIRS) return true;
    return positions.some((from) => positions.some((to) => from !== to && this.#connectsLoops(from, to)));
  }

  /** Whether one text leads from `from` to itself, from `from` to `to`, and from `to` to itself. */
  #connectsLoops(from: number, to: number): boolean {
    const size = this.#next.length;
    const key = (a: number, b: number, c: number) => (a * size + b) * size + c;
    const goal = key(from, to, to);
    const seen = new Set([key(from, from, to)]);
    // Iterating over a set includes what is added on the way.
    for (const state of seen) {
      if (state === goal || seen.size > MAX_STEPS) return true;
      const [a, b, c] = [Math.floor(state / size / size), Math.floor(state / size) % size, state % size];
      for (const x of this.#after(a)) {
        for (const y of this.#after(b)) {
          if (!this.#overlap(x, y)) continue;
          for (const z of this.#after(c)) if (this.#overlap(x, y, z)) seen.add(key(x, y, z));
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
