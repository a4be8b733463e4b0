/**
 * Where commands write: data to stdout, messages for the person to stderr.
 *
 * @module
 */
import { jsonOf } from "./format.ts";
import { type Column, columnsWithin, tableOf } from "./table.ts";

export interface Output {
  /** Whether data is written as JSON. */
  readonly json: boolean;
  /** The size of the terminal, if stdout is one. */
  readonly terminal: { readonly columns: number; readonly rows: number } | undefined;
  write(text: string): void;
  /** Writes a line for the person. */
  say(line: string): void;
}

/** Writes a value as JSON, or as `shown` says. */
export function show(out: Output, value: unknown, shown: () => string): void {
  out.write(`${out.json ? jsonOf(value, 2) : shown()}\n`);
}

/** Writes rows as a table that fits the terminal, or as a JSON array. With no rows, only `none` is said. */
export function showRows<T>(out: Output, rows: readonly T[], columns: readonly Column<T>[], none: string): void {
  if (rows.length === 0 && !out.json) return out.say(none);
  const width = out.terminal?.columns;
  const shown = columnsWithin(rows, columns, width);
  show(out, rows, () => tableOf(rows, shown, width));
  const left = columns.filter((column) => !shown.includes(column)).map(({ title }) => title);
  if (left.length > 0 && !out.json) out.say(`This terminal is too narrow for ${left.join(", ")}.`);
}
