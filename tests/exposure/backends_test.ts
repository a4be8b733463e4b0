/**
 * Every strategy on every backend, from the HTTP request to the worker and back: a job that ends at once, one that takes
 * longer than a call waits, one that is cancelled and one that fails. What clients get is the same on all backends.
 *
 * @module
 */
import { z } from "zod";
import {
  AsyncToolServer,
  type Backend,
  BullMqBackend,
  createWorker,
  defineJob,
  DenoKvBackend,
  type Job,
  MemoryBackend,
  PostgresBackend,
} from "../../mod.ts";
import { ANONYMOUS } from "../../src/mcp/peer.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../tools/std.ts";
import { testUnless } from "../support/test_unless.ts";
import { Caller, type Seen, WAITS, type Way, WAYS } from "./ways.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** A job, and what a test knows of its run and tells it, by the user of the input. */
class Report {
  readonly #runs = new Map<string, Record<"begun" | "end" | "aborted", PromiseWithResolvers<void>>>();

  readonly job: Job = defineJob({
    name: "report",
    description: "Makes a report, once the test lets it",
    input: z.object({ user: z.string(), waits: z.boolean().optional(), fails: z.boolean().optional() }),
    output: z.object({ total: z.number() }),
    attempts: 1,
    run: async ({ user, waits, fails }, { signal }) => {
      const { begun, end, aborted } = this.of(user);
      if (fails) throw new Error(`There is no ${user}.`);
      signal.addEventListener("abort", () => aborted.resolve());
      begun.resolve();
      if (waits) await Promise.race([end.promise, aborted.promise]);
      signal.throwIfAborted();
      return { total: user.length };
    },
  });

  of(user: string): Record<"begun" | "end" | "aborted", PromiseWithResolvers<void>> {
    const run = this.#runs.get(user) ?? {
      begun: Promise.withResolvers<void>(),
      end: Promise.withResolvers<void>(),
      aborted: Promise.withResolvers<void>(),
    };
    this.#runs.set(user, run);
    return run;
  }
}

const ENDED = /^(COMPLETED|FAILED|CANCELLED)$/;

/** Reads a task until it has ended. */
async function follow({ read }: Way, caller: Caller, job: string, begun: Seen): Promise<Omit<Seen, "token">> {
  let seen = begun;
  while (!ENDED.test(seen.status)) {
    assert(read && seen.token, "Nobody can follow it.");
    seen = await read(caller, job, seen.token);
  }
  const { token: _, ...end } = seen;
  return end;
}

/** Two tools for each way: one is patient, and one does not wait for a job that has not ended at once. */
function serve(backend: Backend, job: Job): AsyncToolServer {
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, audit: () => {} });
  for (const [name, way] of Object.entries(WAYS)) {
    server.registerAsyncTool(job, { name: `${name}_impatient`, strategy: way.strategy(WAITS.impatient) });
    server.registerAsyncTool(job, { name: `${name}_patient`, strategy: way.strategy(WAITS.patient) });
  }
  return server;
}

async function exercise(t: Deno.TestContext, backend: Backend): Promise<void> {
  const report = new Report();
  await using server = serve(backend, report.job);
  await createWorker(backend, [report.job], { concurrency: 16 }).ready; // It stops with the backend.
  const caller = await Caller.of(server);

  for (const [name, way] of Object.entries(WAYS)) {
    const [patient, impatient] = [`${name}_patient`, `${name}_impatient`];

    await t.step(`${name}: a job that ends in time, and one that fails`, async () => {
      const done = await way.start(caller, patient, { user: "Ada" });
      assertEquals(await follow(way, caller, patient, done), { status: "COMPLETED", result: { total: 3 } });
      const failed = await way.start(caller, patient, { user: "Nobody", fails: true });
      assertEquals(await follow(way, caller, patient, failed), { status: "FAILED", reason: "There is no Nobody." });
    });

    await t.step(`${name}: a job that takes longer than its call waits`, async () => {
      const user = `${name} Long`;
      const { begun, end } = report.of(user);
      const starting = way.start(caller, impatient, { user, waits: true });
      if (way.cancelsLate) {
        const { status, reason = "" } = await starting;
        assertEquals(status, "FAILED");
        assertStringIncludes(reason, `did not end within ${WAITS.impatient / 1_000} s, and was cancelled`);
        const { tasks: [newest] } = await backend.list(ANONYMOUS.owner, { limit: 1 });
        assertEquals(newest?.status, "CANCELLED");
        return;
      }
      if (way.read) assertMatch((await starting).status, /^(PENDING|RUNNING|WORKING)$/);
      await begun.promise;
      end.resolve();
      const result = { total: user.length };
      assertEquals(await follow(way, caller, impatient, await starting), { status: "COMPLETED", result });
    });

    if (way.cancel === undefined) continue;
    const cancel = way.cancel;
    await t.step(`${name}: a job that is cancelled`, async () => {
      const user = `${name} Cancelled`;
      const { begun, aborted } = report.of(user);
      const { token } = await way.start(caller, impatient, { user, waits: true });
      assert(token);
      await begun.promise;
      const { status, reason = "" } = await cancel(caller, impatient, token);
      assertEquals(status, "CANCELLED");
      assertStringIncludes(reason, "The task was cancelled");
      await aborted.promise;
    });
  }
}

Deno.test("every strategy in memory", (t) => exercise(t, new MemoryBackend()));

Deno.test("every strategy on Deno KV", async (t) => {
  await using folder = await TempFolder.make();
  await exercise(t, await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` }));
});

testUnless(noRedis, "every strategy on Redis", async (t) => {
  await using redis = await openRedis();
  const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
  await exercise(t, await BullMqBackend.connect({ redis: redis.url, prefix }));
});

testUnless(noPostgres, "every strategy on PostgreSQL", async (t) => {
  await using server = await PostgresServer.start();
  const url = await server.makeDatabase();
  await PostgresBackend.migrate({ url });
  await exercise(t, await PostgresBackend.connect({ url }));
  await server.dropDatabase(url);
});
