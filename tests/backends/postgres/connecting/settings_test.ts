/**
 * Settings of a role or a database that change what statements mean.
 *
 * @module
 */
import { BackendError, createWorker, defineJob, PostgresBackend } from "../../../../mod.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { noPostgres } from "../../../../tools/postgres_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { sharedPostgres } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { create, OWNER } from "../../support/idle_worker.ts";

const SETTINGS = ["array_nulls = off", "default_transaction_isolation = 'serializable'"];

const input = { type: "object" };

for (const setting of SETTINGS) {
  for (const listen of [true, false]) {
    testUnless(noPostgres, `PostgreSQL runs tasks where the role has ${setting}, with listen: ${listen}`, async () => {
      const url = await sharedPostgres().makeDatabase();
      await sharedPostgres().query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET ${setting}`);
      await PostgresBackend.migrate({ url });
      const errors: unknown[] = [];
      const onError = (error: unknown) => void (error instanceof BackendError && errors.push(error.message));
      await using one = await PostgresBackend.connect({ url, listen, pool: 3, onError });
      await using other = await PostgresBackend.connect({ url, listen, pool: 3, onError });
      const run = (_: unknown, { attempt }: { readonly attempt: number }) => {
        if (attempt === 1) throw new Error("Not yet.");
        return attempt;
      };
      const jobs = [
        defineJob({ name: "job", input, run }),
        defineJob({ name: "limited", input, run, concurrency: 3 }),
      ];
      const workers = [one, other].map((backend) => createWorker(backend, jobs, { concurrency: 5, onError }));
      using feed = new TaskFeed(one);
      const ended = await Promise.all(Array.from({ length: 30 }, async (_, index) => {
        const retry = { attempts: 2, delay: 1, maxDelay: 1 };
        const job = index % 2 === 0 ? "job" : "limited";
        const { id } = await create(one, job, { retry, priority: index % 5 });
        return (await feed.wait(id, OWNER, AbortSignal.timeout(60_000))).status;
      }));
      await Promise.all(workers.map((worker) => worker.close()));
      assertEquals(ended, ended.map(() => "COMPLETED"));
      assertEquals(errors, []);
    });
  }
}
