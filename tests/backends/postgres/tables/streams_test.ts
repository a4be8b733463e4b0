import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { streamsIn } from "../../../../src/backends/postgres/tables/streams.ts";
import { noPostgres } from "../../../../tools/postgres_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { emptyTables } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";

testUnless(
  noPostgres,
  "PostgreSQL: messages of the same moment are stored by one statement, also one that is sent again",
  async () => {
    await using database = await Database.open(await emptyTables(), "mcp_jobs", 1);
    let statements = 0;
    const run: typeof database.run = (...sent) => {
      statements++;
      return database.run(...sent);
    };
    const streams = streamsIn({ run, schema: database.schema });
    const names = ["first", "second"];
    const events = Array.from({ length: 20 }, (_, index) => ({ id: `${100 + index}`, text: `message ${index}` }));
    const append = (name: string) => events.map((event) => streams.append(name, event, 60_000));
    const again = streams.append("first", { id: "119", text: "once more" }, 60_000);
    await Promise.all([...names.flatMap(append), again]);
    assertEquals(statements, 1);
    assertEquals(await streams.readAfter("second", "104"), events.slice(5));
    assertEquals((await streams.readAfter("first", "")).length, events.length);
  },
);
