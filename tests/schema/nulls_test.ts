import { z } from "zod";
import { withoutNulls } from "../../src/schema/nulls.ts";
import { assert, assertEquals } from "../../tools/std.ts";

const schema = z.toJSONSchema(
  z.object({
    name: z.string(),
    year: z.number().optional(),
    kind: z.enum(["a", "b"]).optional(),
    note: z.string().nullable().optional(),
    either: z.union([z.string(), z.null()]).optional(),
    neither: z.union([z.string(), z.number()]).optional(),
    literal: z.literal([1, null]).optional(),
    page: z.number().default(1),
    anything: z.unknown().optional(),
    filter: z.object({ from: z.string().optional(), to: z.string() }).optional(),
    rows: z.array(z.object({ id: z.number(), tag: z.string().optional() })).optional(),
    prices: z.record(z.string(), z.number()).optional(),
  }),
  { io: "input" },
) as never;

Deno.test("an optional field that is null, although its schema refuses null, counts as left out", () => {
  assertEquals(
    withoutNulls(schema, { name: "Ada", year: null, kind: null, neither: null, page: null, filter: null, rows: null }),
    { name: "Ada" },
  );
});

Deno.test("a null that the schema accepts stays", () => {
  const input = { name: "Ada", note: null, either: null, literal: null, anything: null };
  assert(withoutNulls(schema, input) === input);
});

Deno.test("the null of a required field, of a field that the schema does not name and of an item stays, so that it is refused", () => {
  const input = { name: null, other: null, prices: { apple: null }, rows: [null] };
  assert(withoutNulls(schema, input) === input);
});

Deno.test("nulls count as left out within fields and items, too", () => {
  assertEquals(
    withoutNulls(schema, { filter: { from: null, to: null }, rows: [{ id: 1, tag: null }, { id: 2, tag: "b" }] }),
    { filter: { to: null }, rows: [{ id: 1 }, { id: 2, tag: "b" }] },
  );
});

Deno.test("references within a schema are followed, and one that leads nowhere, elsewhere or in a circle leaves the null", () => {
  const node = { type: "object", properties: { next: { $ref: "#/$defs/a~1node" }, size: { type: "number" } } };
  const recursive = {
    type: "object",
    properties: {
      list: { $ref: "#/$defs/a~1node" },
      lost: { $ref: "#/$defs/none" },
      circle: { $ref: "#/$defs/circle" },
      elsewhere: { $ref: "other.json#/$defs/a~1node" },
      encoded: { $ref: "#/$defs/100%25" },
      plain: { $ref: "#/$defs/100%" },
    },
    $defs: { "a/node": node, circle: { $ref: "#/$defs/circle" }, "100%": { type: "number" } },
  };
  assertEquals(
    withoutNulls(recursive, {
      ...{ list: { next: { next: null, size: null } }, lost: null, circle: null, choices: null },
      ...{ elsewhere: null, encoded: null, plain: null },
    }),
    { list: { next: {} }, lost: null, circle: null, choices: null, elsewhere: null },
  );
});
