/**
 * PostgreSQL behind PgBouncer, which lends connections for a session or for one transaction.
 *
 * @module
 */
import { newTaskId } from "../../../../backend.ts";
import { BackendError, createWorker, defineJob, PostgresBackend } from "../../../../mod.ts";
import { openPlace } from "../../../../src/cli/place.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { noPostgres } from "../../../../tools/postgres_server.ts";
import { freePort } from "../../../../tools/redis_server.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { sharedPostgres } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";

/** As in "PgBouncer 1.18.0"; `undefined` where there is none. */
const version = await Promise.try(() => new Deno.Command("pgbouncer", { args: ["--version"], stderr: "null" }).output())
  .then(({ stdout }) => /\d+\.(\d+)/.exec(new TextDecoder().decode(stdout))?.[1], () => undefined);

const missing = noPostgres ?? (version === undefined ? "install pgbouncer" : undefined);

/** Newer ones can keep prepared statements apart; this is about those that do not. */
const unprepared = Number(version) < 21 ? "" : "max_prepared_statements = 0";

/** A PgBouncer in front of a server. */
class PgBouncer implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;

  private constructor(readonly url: string, folder: string, child: Deno.ChildProcess) {
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts one that has few connections to lend, and passes on no start-up parameter that it does not know. */
  static async start(server: string, mode: "session" | "transaction", ignored = ""): Promise<PgBouncer> {
    const { hostname, port, username } = new URL(server);
    const url = new URL(server);
    url.host = `127.0.0.1:${freePort()}`;
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-pgbouncer-" });
    const settings = [
      "[databases]",
      `* = host=${hostname} port=${port} user=${username}`,
      "[pgbouncer]",
      `listen_addr = 127.0.0.1\nlisten_port = ${url.port}\nunix_socket_dir =`,
      `auth_type = any\npool_mode = ${mode}\nignore_startup_parameters = extra_float_digits${ignored}`,
      `default_pool_size = ${mode === "session" ? 40 : 3}`,
      unprepared,
    ];
    await Deno.writeTextFile(`${folder}/pgbouncer.ini`, settings.join("\n"));
    // PgBouncer does not run as root.
    await Deno.chmod(folder, 0o755);
    const user = Deno.uid() === 0 ? ["-u", "nobody"] : [];
    const args = ["-q", ...user, `${folder}/pgbouncer.ini`];
    const child = new Deno.Command("pgbouncer", { args, stdout: "null", stderr: "null" }).spawn();
    const bouncer = new PgBouncer(url.href, folder, child);
    const { port: own } = url;
    const connects = () =>
      Deno.connect({ hostname: "127.0.0.1", port: Number(own) }).then((connection) => {
        connection.close();
        return true;
      }, () => false);
    await until(connects, "PgBouncer listens");
    return bouncer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** What a failed attempt to connect says. */
async function refusal(url: string): Promise<string> {
  return (await assertRejects(() => PostgresBackend.connect({ url }), BackendError)).message;
}

for (const mode of ["session", "transaction"] as const) {
  const listen = mode === "session";
  testUnless(missing, `PostgreSQL behind PgBouncer in ${mode} mode runs tasks, with listen: ${listen}`, async () => {
    const direct = await sharedPostgres().makeDatabase();
    await using bouncer = await PgBouncer.start(direct, mode, listen ? ",options" : "");
    const { url } = bouncer;
    await PostgresBackend.migrate({ url });
    await using front = await PostgresBackend.connect({ url, listen });
    await using back = await PostgresBackend.connect({ url, listen });
    const job = defineJob({ name: "job", input: { type: "object" }, run: () => "x".repeat(100_000) });
    await using _worker = createWorker(back, [job], { concurrency: 20 });
    using feed = new TaskFeed(front);
    const ended = await Promise.all(Array.from({ length: 60 }, async () => {
      const id = newTaskId();
      await front.create(newTask({ id }));
      return (await feed.wait(id, "ann", AbortSignal.timeout(60_000))).status;
    }));
    assertEquals(ended, ended.map(() => "COMPLETED"));
  });
}

for (const mode of ["session", "transaction"] as const) {
  testUnless(missing, `PostgreSQL: the command line works through a PgBouncer in ${mode} mode`, async () => {
    const direct = await sharedPostgres().makeDatabase();
    await PostgresBackend.migrate({ url: direct });
    await using server = await PostgresBackend.connect({ url: direct });
    const id = newTaskId();
    await server.create(newTask({ id }));
    await using bouncer = await PgBouncer.start(direct, mode);
    const place = { kv: undefined, redis: undefined, postgres: bouncer.url, prefix: undefined, schema: undefined };
    await using backend = await openPlace(place, () => undefined);
    const { promise: seen, resolve } = Promise.withResolvers<string>();
    using _watch = { [Symbol.dispose]: server.watch((event) => event.kind === "change" && resolve(event.task.status)) };
    assertEquals((await backend.operator.cancel(id)).status, "CANCELLED");
    assertEquals(await seen, "CANCELLED");
  });
}

testUnless(missing, "PostgreSQL behind a PgBouncer that does not fit says what to change", async () => {
  const direct = await sharedPostgres().makeDatabase();
  await PostgresBackend.migrate({ url: direct });
  await using strict = await PgBouncer.start(direct, "session");
  const unknown = await refusal(strict.url);
  assertStringIncludes(unknown, "ignore_startup_parameters of the pooler, or pass `listen: false`");
  await using pooled = await PgBouncer.start(direct, "transaction", ",options");
  assertStringIncludes(await refusal(pooled.url), "lends its connections for one transaction. Pass `listen: false`");
});

testUnless(
  missing,
  "PostgreSQL: where a PgBouncer drops the settings of the session, no plan is kept, unless the role has them",
  async () => {
    const direct = await sharedPostgres().makeDatabase();
    const kept = async () => {
      await using bouncer = await PgBouncer.start(direct, "session", ",options");
      await using database = await Database.open(bouncer.url, "mcp_jobs", 1);
      await database.run({ name: "mcp_jobs_claim", text: "SELECT 1" });
      const text = "SELECT name FROM pg_prepared_statements WHERE name = 'mcp_jobs_claim'";
      return (await database.run({ text })).length;
    };
    assertEquals(await kept(), 0);
    await using server = await Database.open(direct, "mcp_jobs", 1, true);
    // All roles of this database: the server is shared with other tests.
    const name = new URL(direct).pathname.slice(1);
    await server.run({ text: `ALTER DATABASE "${name}" SET plan_cache_mode = force_generic_plan` });
    assertEquals(await kept(), 1);
  },
);
