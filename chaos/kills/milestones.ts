/** A count that goes up, and promises for what it reaches. */
export class Milestones {
  #count = 0;
  readonly #waiting: { readonly above: number; readonly resolve: () => void }[] = [];

  /** Adds one. */
  add(): void {
    this.#count++;
    for (const { above, resolve } of this.#waiting) if (this.#count > above) resolve();
  }

  /** Resolves once the count is above a number. */
  above(count: number): Promise<void> {
    if (this.#count > count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ above: count, resolve }));
  }

  /** Says on stderr, at each tenth of a total, how much is done. */
  tell(total: number, what: string): void {
    for (let share = 10; share < 100; share += 10) {
      void this.above(total * share / 100).then(() => console.error(`${share} % of ${what}`));
    }
  }
}
