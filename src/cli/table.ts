/**
 * Rows as a table that fits the terminal.
 *
 * @module
 */
import { oneLine } from "../text.ts";
import { widthOf } from "./std.ts";

export interface Column<T> {
  readonly title: string;
  cell(row: T): string;
  /** Whether it has numbers, which are aligned to the right. */
  readonly right?: true;
  /** Whether it may be narrowed for a narrow terminal, down to 8 columns. */
  readonly shrinks?: true;
  /** Whether it may be left out if that is not enough, before other such columns or after them. */
  readonly spare?: "first" | "last";
}

/** The longest cell, in UTF-16 units. */
const LONGEST = 1_000;

const GAP = "  ";

/** The narrowest that a column becomes. */
const NARROWEST = 8;

/** A table with a line of titles, at most `width` columns wide if it can be; with no `width`, as wide as it is. */
export function tableOf<T>(rows: readonly T[], columns: readonly Column<T>[], width = Infinity): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => oneLine(cell(row), LONGEST))),
  ];
  const widest = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index] ?? ""))));
  const widths = fitted(widest, columns.map(({ shrinks = false }) => shrinks), width);
  return cells.map((line) =>
    line.map((cell, index) => fill(cell, widths[index] ?? 0, columns[index]?.right)).join(GAP).trimEnd()
  ).join("\n");
}

/** The columns that fit on a terminal: spare ones are left out, those on the right before those on the left. */
export function columnsWithin<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  width = Infinity,
): readonly Column<T>[] {
  const narrowest = new Map(columns.map((column) => {
    const { title, cell, shrinks } = column;
    const widest = Math.max(widthOf(title), ...rows.map((row) => widthOf(oneLine(cell(row), LONGEST))));
    return [column, GAP.length + (shrinks ? Math.min(NARROWEST, widest) : widest)];
  }));
  let over = narrowest.values().reduce((sum, each) => sum + each, -GAP.length) - width;
  for (const when of ["first", "last"]) {
    for (const column of columns.filter(({ spare }) => spare === when).reverse()) {
      if (over <= 0) break;
      over -= narrowest.get(column) ?? 0;
      narrowest.delete(column);
    }
  }
  return [...narrowest.keys()];
}

/** The widths of the columns after the widest of those that shrink have been narrowed as needed. */
function fitted(widest: readonly number[], shrinks: readonly boolean[], width: number): readonly number[] {
  const widths = [...widest];
  let over = widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length) - width;
  while (over > 0 && over !== Infinity) {
    const candidates = widths.map((each, index) => shrinks[index] && each > NARROWEST ? each : 0);
    const most = Math.max(...candidates);
    if (most === 0) break;
    widths[candidates.indexOf(most)] = most - 1;
    over--;
  }
  return widths;
}

function fill(cell: string, width: number, right = false): string {
  const text = cutTo(cell, width);
  const space = " ".repeat(Math.max(0, width - widthOf(text)));
  return right ? space + text : text + space;
}

/** A text of at most so many columns; "…" marks that it was cut. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let shown = "";
  let taken = 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    taken += widthOf(segment);
    if (taken > width) break;
    shown += segment;
  }
  return `${shown}…`;
}
