import { type Column, columnsWithin, cutTo, tableOf } from "../../src/cli/table.ts";
import { assertEquals } from "../../tools/std.ts";

interface Row {
  readonly name: string;
  readonly count: number;
  readonly text: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "COUNT", cell: ({ count }) => String(count), right: true },
  { title: "TEXT", cell: ({ text }) => text, shrinks: true },
];

const ROWS: readonly Row[] = [
  { name: "a", count: 5, text: "short" },
  { name: "longer", count: 12_345, text: "a text that is too long for a narrow terminal" },
];

Deno.test("a table is as wide as its cells, with numbers at the right", () => {
  assertEquals(tableOf(ROWS, COLUMNS).split("\n"), [
    "NAME    COUNT  TEXT",
    "a           5  short",
    "longer  12345  a text that is too long for a narrow terminal",
  ]);
});

Deno.test("a table fits the terminal: columns that shrink are cut, and say so", () => {
  assertEquals(tableOf(ROWS, COLUMNS, 30).split("\n"), [
    "NAME    COUNT  TEXT",
    "a           5  short",
    "longer  12345  a text that is…",
  ]);
});

Deno.test("columns that do not fit are left out from the right, unless the table must have them", () => {
  const columns = COLUMNS.map((column) => column.title === "NAME" ? column : { ...column, spare: "last" as const });
  const titles = (width?: number) => columnsWithin(ROWS, columns, width).map(({ title }) => title);
  // NAME takes 6 columns, COUNT 5, TEXT 8 or more, and each gap 2.
  assertEquals(titles(), ["NAME", "COUNT", "TEXT"]);
  assertEquals(titles(23), ["NAME", "COUNT", "TEXT"]);
  assertEquals(titles(22), ["NAME", "COUNT"]);
  assertEquals(titles(12), ["NAME"]);
  assertEquals(titles(3), ["NAME"]);
  assertEquals(columnsWithin([], columns, 22).length, 3); // Titles alone are narrow.
});

Deno.test("columns that do not shrink are never cut", () => {
  assertEquals(tableOf(ROWS, COLUMNS, 10).split("\n").at(-1), "longer  12345  a text …");
});

Deno.test("a cell is one line, and cannot send commands to the terminal", () => {
  const rows = [{ name: "a", count: 1, text: "red \x1b[31m\nnext" }];
  assertEquals(tableOf(rows, COLUMNS).split("\n").at(-1), "a         1  red \\u001b[31m\\u000anext");
});

Deno.test("a text is never cut within a character", () => {
  assertEquals(cutTo("ab👩‍👩‍👧cd", 3).startsWith("ab"), true);
  assertEquals(cutTo("ab👩‍👩‍👧cd", 3).isWellFormed(), true);
});
