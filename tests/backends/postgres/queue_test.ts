import { PostgresBackend } from "../../../mod.ts";
import { Database } from "../../../src/backends/postgres/database.ts";
import { PostgresStore } from "../../../src/backends/postgres/store.ts";
import { Writer } from "../../../src/backends/postgres/writer.ts";
import { created, reported } from "../../../src/backends/shared/record.ts";
import { Claims } from "../../../src/backends/shared/store/claims.ts";
import { newTaskId } from "../../../src/ids.ts";
import { noPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { testUnless } from "../../support/test_unless.ts";

testUnless(
  noPostgres,
  "PostgreSQL: a task that changes in the moment of its claim is claimed again at once",
  async () => {
    await using server = await PostgresServer.start();
    const url = await server.makeDatabase();
    await PostgresBackend.migrate({ url });
    await using database = await Database.open(url, "mcp_jobs", 3);
    const store = new PostgresStore(database, new Writer(database, crypto.randomUUID(), () => {}), 600_000);
    const worker = { name: crypto.randomUUID(), jobs: ["job"] };
    await store.lease(worker, () => []).renew();
    const id = newTaskId();
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await store.create(
      created({ id, job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry }, store.now()),
      "{}",
    );

    const claims = new Claims(store, worker, { hold() {}, lose() {} });
    const { change } = store;
    store.change = async (entry, record) => {
      store.change = change;
      const other = await store.read(id, "ann");
      assert(other);
      assert(await store.change(other, reported(other.record, { message: "changed" }, store.now())));
      return await store.change(entry, record);
    };
    assertEquals((await claims.claim(1)).claims, []);
    assertEquals((await claims.claim(1)).claims.map(({ task }) => task.id), [id]);
  },
);
