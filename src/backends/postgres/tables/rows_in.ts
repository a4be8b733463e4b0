/**
 * Rows as parameters of a statement: one array for each column.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Query } from "../connecting/pg.ts";

/** A statement that writes rows. Its first parameter is the name under which this process writes events. */
export interface Statement<Row> extends Pick<Query, "name" | "text"> {
  readonly columns: readonly Column<Row>[];
}

type Value = string | number | boolean | null | undefined;

/** A column: its name, its type, and its value in a row. */
export type Column<Row> = readonly [
  name: string,
  type: "uuid" | "text" | "integer" | "float8" | "boolean",
  of: (row: Row) => Value,
];

/** The part `input` of a statement: the rows of the parameters from `$first` on. */
export function inputOf<Row>(columns: readonly Column<Row>[], first: number): string {
  const arrays = columns.map((_, index) => `$${first + index}::text[]`);
  const names = columns.map(([name]) => name);
  return `input AS (
  SELECT ${columns.map(([name, type]) => `${name}::${type}`).join(", ")}
  FROM unnest(${arrays.join(", ")}) AS input (${names.join(", ")})
)`;
}

export function arraysOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly Uint8Array[] {
  return columns.map(([_name, _type, of]) => textArray(rows.map(of)));
}

/** The type of the elements, in PostgreSQL's catalogue. */
const TEXT_OID = 25;

/** Dimensions, whether there are nulls, and the type; then the number of elements and the index of the first one. */
const HEADER_BYTES = 20;

/**
 * A `text[]` as PostgreSQL takes it in binary. In text, `npm:pg` would escape every quote of the JSON in it, and PostgreSQL
 * look for each: that was a fifth of what a write cost this process.
 */
export function textArray(values: readonly Value[]): Uint8Array {
  const texts = values.map((value) => value === null || value === undefined ? undefined : String(value));
  const sizes = texts.map((text) => text === undefined ? -1 : Buffer.byteLength(text));
  const array = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 4 + Math.max(0, size), HEADER_BYTES));
  [1, 1, TEXT_OID, texts.length, 1].forEach((field, index) => array.writeInt32BE(field, 4 * index));
  let at = HEADER_BYTES;
  for (const [index, text] of texts.entries()) {
    array.writeInt32BE(sizes[index] ?? -1, at);
    at += 4;
    if (text !== undefined) at += array.write(text, at);
  }
  return array;
}
