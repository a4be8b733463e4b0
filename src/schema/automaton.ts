/**
 * A regular expression as an automaton whose states are the characters of the expression (Glushkov's construction). It
 * counts in how many ways one character can follow another, because a backtracking engine tries each of these ways.
 *
 * @module
 */
import { type Assertion, type CharSet, type Concatenation, type Element, JS, type NoParent } from "refa";

type Alternatives = readonly NoParent<Concatenation>[];

/** Positions, each with the number of ways that lead there: 1, or 2 for "more than one". */
export type Ways = ReadonlyMap<number, number>;

/** A regular expression as an automaton. */
export interface Automaton {
  /** The characters that each position accepts. */
  readonly characters: readonly CharSet[];
  readonly follow: readonly Ways[];
  /** The positions at which a match can start. */
  readonly first: Ways;
  /** Whether a match can start anywhere in the text, and not only at its beginning. */
  readonly searches: boolean;
  /** Whether parts of any length are read again, by a backreference or a lookbehind, for which there are no positions. */
  readonly readsBack: boolean;
}

/** A part of the expression: in how many ways it matches the empty text, and the positions it can start and end with. */
interface Part {
  readonly empty: number;
  readonly first: Ways;
  readonly last: Ways;
}

const NONE: Ways = new Map();
const EMPTY: Part = { empty: 1, first: NONE, last: NONE };
const NEVER: Part = { empty: 0, first: NONE, last: NONE };

/** Up to how many times a bounded repetition is written out at most; a longer one counts as unbounded. */
const MAX_COPIES = 64;

const MAX_POSITIONS = 3_000;

/**
 * Builds the automaton of a pattern. Throws if the pattern is not a regular expression, or if it has more than 3,000
 * positions. A repetition of up to `copies` times is written out.
 */
export function automatonOf(pattern: string, copies: number = MAX_COPIES): Automaton {
  const { expression } = parse(pattern);
  const builder = new Builder(copies);
  const whole = builder.either(expression.alternatives);
  // If nothing after the last position can fail, the first match ends the search and no other way is tried.
  if (!builder.asserts) { for (const position of whole.last.keys()) builder.follow[position]?.clear(); }
  const anchored = expression.alternatives.every(({ elements: [element] }) =>
    element !== undefined && isStart(element)
  );
  const { characters, follow, readsBack } = builder;
  return { characters, follow, first: whole.first, searches: !anchored, readsBack };
}

/** JSON Schema patterns are Unicode patterns (draft 2020-12, core 6.4), but some libraries emit others. */
function parse(source: string): ReturnType<JS.Parser["parse"]> {
  const options = { backreferences: "unknown", maxBackreferenceWords: 0, simplify: false } as const;
  try {
    return JS.Parser.fromLiteral({ source, flags: "u" }).parse(options);
  } catch {
    // It has no meaning in Unicode mode.
    return JS.Parser.fromLiteral({ source, flags: "" }).parse(options);
  }
}

/** Whether an element is `^`, which the parser represents as "not behind any character". */
function isStart(element: NoParent<Element>): boolean {
  if (element.type !== "Assertion" || element.kind !== "behind" || !element.negate) return false;
  const [only, ...others] = element.alternatives.flatMap(({ elements }) => elements);
  return others.length === 0 && only?.type === "CharacterClass" && only.characters.isAll;
}

class Builder {
  readonly characters: CharSet[] = [];
  readonly follow: Map<number, number>[] = [];
  /** Whether there is an assertion other than `^`, so that the expression can fail after its last position. */
  asserts = false;
  readsBack = false;
  /** Whether the part is inside a lookbehind, which is matched from its end to its beginning. */
  #isBehind = false;
  readonly #copies: number;

  constructor(copies: number) {
    this.#copies = copies;
  }

  either(alternatives: Alternatives): Part {
    return alternatives.map(({ elements }) =>
      elements.reduce<Part>((part, element) => this.#join(part, this.#part(element)), EMPTY)
    ).reduce((a, b) => ({
      empty: Math.min(2, a.empty + b.empty),
      first: sum(a.first, b.first),
      last: sum(a.last, b.last),
    }), NEVER);
  }

  #part(element: NoParent<Element>): Part {
    switch (element.type) {
      case "CharacterClass":
        return this.#position(element.characters);
      case "Alternation":
        return this.either(element.alternatives);
      case "Quantifier":
        return this.#repeat(() => this.either(element.alternatives), element.min, element.max);
      case "Assertion":
        if (isStart(element)) return EMPTY;
        this.asserts = true;
        return this.#assertion(element);
      case "Unknown":
        this.asserts = true;
        this.readsBack = true;
        return EMPTY;
    }
  }

  /** What is inside is matched as well, each time that the text is read as far as here, and leads no further. */
  #assertion({ kind, alternatives }: NoParent<Assertion>): Part {
    const isBehind = this.#isBehind;
    this.#isBehind ||= kind === "behind";
    const { first } = this.either(alternatives);
    this.#isBehind = isBehind;
    return { empty: 1, first, last: NONE };
  }

  #position(characters: CharSet): Part {
    const position = this.characters.push(characters) - 1;
    if (position >= MAX_POSITIONS) throw new RangeError(`The pattern has more than ${MAX_POSITIONS} positions.`);
    this.follow.push(new Map());
    const only = new Map([[position, 1]]);
    return { empty: 0, first: only, last: only };
  }

  /** Writes `a{2,4}` out as `aa(a(a)?)?`. */
  #repeat(part: () => Part, min: number, max: number): Part {
    if (max === Infinity || (max > this.#copies && min !== max)) {
      if (this.#isBehind) this.readsBack = true;
      const body = part();
      this.#link(body.last, body.first);
      return min === 0 ? { ...body, empty: 1 } : body;
    }
    let all = EMPTY;
    for (let copy = Math.min(max, this.#copies); copy > 0; copy--) {
      const joined = this.#join(part(), all);
      all = copy > min ? { ...joined, empty: 1 } : joined;
    }
    return all;
  }

  #join(a: Part, b: Part): Part {
    this.#link(a.last, b.first);
    return {
      empty: Math.min(2, a.empty * b.empty),
      first: sum(a.first, b.first, a.empty),
      last: sum(b.last, a.last, b.empty),
    };
  }

  #link(from: Ways, to: Ways): void {
    for (const [position, ways] of from) {
      const follow = this.follow[position];
      for (const [next, times] of to) follow?.set(next, Math.min(2, (follow.get(next) ?? 0) + ways * times));
    }
  }
}

function sum(a: Ways, b: Ways, times = 1): Ways {
  if (times === 0 || b.size === 0) return a;
  const both = new Map(a);
  for (const [position, ways] of b) both.set(position, Math.min(2, (both.get(position) ?? 0) + ways * times));
  return both;
}
