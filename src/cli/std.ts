/**
 * What the command line takes from `@std/cli`. Where JSR cannot be reached, as in a clone without network, a stand-in counts
 * characters: columns may be crooked then.
 *
 * @module
 */
const unicodeWidth: (text: string) => number = await import("@std/cli/unicode-width")
  .then((module) => module.unicodeWidth, () => (text: string) => [...text].length);

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  return unicodeWidth(text);
}
