/** What the task of this number asks. */
export function questionOf(number: number): string {
  return `May task ${number} go on?`;
}

/** The number in such a question. */
export function numberAsked(question: string): number {
  return Number(/\d+/.exec(question)?.[0]);
}
