/**
 * A disk that is full under the tables: a small file system of the test's own.
 *
 * @module
 */
import { BackendError, PostgresBackend } from "../../../mod.ts";
import { giveToPostgres, noOwnPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { fill, noSmallDisk, smallDisk } from "../support/small_disk.ts";
import { newTask } from "../../support/tasks.ts";

const FULL = "No space left on device";

testUnless(
  noOwnPostgres ?? noSmallDisk,
  "PostgreSQL: while the disk is full, calls and checks say why, and all goes on once there is room again",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-full-" });
    const unmount = await smallDisk(folder);
    try {
      await using server = await PostgresServer.startOwn();
      await giveToPostgres(folder);
      await server.query(`CREATE TABLESPACE small LOCATION '${folder}'`);
      await server.query("ALTER ROLE postgres SET default_tablespace = small");
      await PostgresBackend.migrate(server);
      await using backend = await PostgresBackend.connect(server);
      const stored: string[] = [];
      const create = async () => {
        const task = newTask({ job: "waits" });
        stored.push((await backend.create(task)).id);
      };
      await backend.check();
      await create();
      const filler = fill(folder);
      // There may be room left in a page that is on the disk already.
      await until(() => create().then(() => false, () => true), "a task is refused");
      await assertRejects(create, BackendError, FULL);
      await assertRejects(() => backend.check(), BackendError, FULL);
      const listed = async () => (await backend.list("ann", { limit: 1_000 })).tasks.map(({ id }) => id).reverse();
      assertEquals(await listed(), stored);
      await Deno.remove(filler);
      await create();
      await backend.check();
      assertEquals(await listed(), stored);
    } finally {
      await unmount?.();
      await Deno.remove(folder);
    }
  },
);
