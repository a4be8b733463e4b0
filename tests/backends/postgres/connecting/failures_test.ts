import { isUnreachable } from "../../../../src/backends/postgres/connecting/failures.ts";
import { assertEquals } from "../../../../tools/std.ts";

Deno.test("a server is unreachable if a new connection gets no answer or finds no way there, and there if it refuses or reports anything", () => {
  const errors = {
    "Query read timeout": "", // The server says nothing.
    "connect EHOSTUNREACH 10.0.0.9:5432": "EHOSTUNREACH",
    "connect ENETUNREACH 10.0.0.9:5432": "ENETUNREACH",
    "connect ECONNREFUSED 10.0.0.9:5432": "ECONNREFUSED",
    "sorry, too many clients already": "53300",
    "the database system is starting up": "57P03",
  };
  const found = Object.entries(errors).map(([text, code]) =>
    isUnreachable(Object.assign(new Error(text), code && { code }))
  );
  assertEquals(found, [true, true, true, false, false, false]);
});
