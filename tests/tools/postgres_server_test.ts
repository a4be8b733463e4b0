import { findBin, noOwnPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { assertEquals } from "../../tools/std.ts";
import { isRunning } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";

testUnless(
  noOwnPostgres,
  "a PostgreSQL for tests keeps its data when it is killed, and leaves nothing behind when it is disposed of",
  async () => {
    let data = "";
    {
      await using server = await PostgresServer.startOwn();
      data = server.data ?? "";
      await server.query("CREATE TABLE kept (id integer)");
      const pid = Number((await Deno.readTextFile(`${data}/postmaster.pid`)).split("\n")[0]);
      await server.kill();
      assertEquals(await isRunning(pid), false);
      await server.start();
      assertEquals(await server.query("SELECT FROM kept"), []);
      await server.kill();
    }
    assertEquals(await Deno.stat(`${data}/..`).then(() => "there", () => "gone"), "gone");
  },
);

Deno.test("the PostgreSQL of the PATH comes before the newest that is installed, so a run can be of another version", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/initdb`, "");
  const links = await Deno.makeTempDir();
  await Deno.symlink(`${folder}/initdb`, `${links}/initdb`);
  for (const path of [folder, links]) assertEquals(await findBin(`/nowhere:${path}`), await Deno.realPath(folder));
  for (const each of [folder, links]) await Deno.remove(each, { recursive: true });
});
