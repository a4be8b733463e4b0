import {
  AsyncToolServer,
  type AuditEvent,
  BackendError,
  defineJob,
  implement,
  type Job,
  MemoryBackend,
  type TaskInfo,
} from "../../mod.ts";
import { Pipe } from "../mcp/support/pipe.ts";
import { runInPlace } from "../mcp/support/program.ts";
import { Reported } from "../support/errors.ts";
import { until } from "../support/processes.ts";
import { DefinitionError, InvalidInput } from "../../src/errors.ts";
import type { ScheduleOptions } from "../../src/schedules/declare.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { z } from "zod";

const report = defineJob({
  name: "report",
  input: z.object({ team: z.string() }),
  run: ({ team }) => `of ${team}`,
});

function newServer(backend = new MemoryBackend()) {
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend });
  return { backend, server };
}

/** Serves HTTP until `done` resolves. */
async function serve(server: AsyncToolServer, done: Promise<unknown>): Promise<void> {
  const end = new AbortController();
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: () => {}, signal: end.signal });
  await Promise.race([done, running]);
  end.abort();
  await running;
}

Deno.test("a scheduled job runs in the server's own worker though no tool offers it, for the owner of the schedule", async () => {
  const { server, backend } = newServer();
  await server.schedule(report, { every: 100, input: { team: "blue" }, owner: "ann" });
  const nightly = { name: "at_night", cron: "0 3 * * *", input: { team: "red" }, owner: "ann" };
  await server.schedule(report, nightly);
  await server.schedule(report, { ...nightly, name: "in_berlin", timeZone: "Europe/Berlin" });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && resolve());
  const read = ended.then(async () => {
    const [atNight, inBerlin, schedule] = await backend.operator.schedules();
    assertEquals([atNight?.times, inBerlin?.times], [
      { cron: "0 3 * * *", timeZone: "UTC" },
      { cron: "0 3 * * *", timeZone: "Europe/Berlin" },
    ]);
    assertEquals([schedule?.name, schedule?.owner, schedule?.input, schedule?.times], [
      "report",
      "ann",
      { team: "blue" },
      { every: 100 },
    ]);
    const { tasks } = await backend.list("ann", { limit: 100 });
    const last = tasks.findLast(({ status }) => status === "COMPLETED");
    assertEquals(await backend.outcome(last?.id ?? "", "ann"), { kind: "value", value: "of blue" });
  });
  await serve(server, read);
});

Deno.test("a schedule may name the contract of a job whose code is registered, and its tasks have the options of that", async () => {
  const { server, backend } = newServer();
  const contract = defineJob({ name: "report", input: z.object({ team: z.string() }) });
  server.registerAsyncTool(implement(contract, ({ team }) => `of ${team}`), { resultTtl: 7_000 });
  await server.schedule(contract, { every: 100, input: { team: "blue" }, owner: "ann" });
  const { promise: ended, resolve } = Promise.withResolvers<TaskInfo>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && resolve(event.task));
  await serve(server, ended);
  assertEquals((await ended).resultTtl, 7_000);
});

Deno.test("the tasks of a schedule stand in the server's audit log, and its errors go to onError", async () => {
  const backend = new MemoryBackend();
  const { read } = backend.documents;
  let fails = true;
  const readLater = (name: string) => {
    if (!fails) return read(name);
    fails = false;
    return Promise.reject(new BackendError("The store is away."));
  };
  Object.assign(backend.documents, { read: readLater });
  const { all, onError } = new Reported();
  const created = Promise.withResolvers<AuditEvent>();
  const audit = (event: AuditEvent) => event.event === "created" && created.resolve(event);
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, audit, onError });
  await server.schedule(report, { every: 100, input: { team: "blue" }, owner: "ann" });
  await serve(server, created.promise);
  const { principal, job, reason } = await created.promise;
  assertEquals([principal, job, reason], ["ann", "report", "By the schedule report."]);
  assertEquals(all.map(({ where, job }) => [where, job]), [["run a schedule", "report"]]);
});

Deno.test("a server that is embedded creates the tasks of its schedules from its first request on", async () => {
  const { server, backend } = newServer();
  await server.schedule(report, { every: 100, input: { team: "blue" }, owner: "ann" });
  const created = Promise.withResolvers<string>();
  backend.watch((event) => event.kind === "change" && created.resolve(event.task.owner));
  const response = await server.fetch(new Request("http://localhost/healthz", { headers: { host: "localhost" } }));
  await response.body?.cancel();
  assertEquals(await created.promise, "ann");
  await server.close();
});

Deno.test("over stdio, the schedules begin with the client's first call, and not where a host only lists the tools", async () => {
  const { server, backend } = newServer();
  server.registerAsyncTool(report);
  await server.schedule(report, { every: 60_000, input: { team: "blue" }, owner: "ann" });
  await using pipe = await Pipe.open(runInPlace(server));
  await pipe.result("tools/list");
  assertEquals(await backend.operator.schedules(), []);
  await pipe.call("report", { team: "red" });
  await until(async () => (await backend.operator.schedules()).length === 1, "the schedule has begun");
  await pipe.end();
});

Deno.test("the input of a schedule is validated where it is declared, and the server does not serve with a wrong one", async () => {
  const { server } = newServer();
  const wrong = { every: 1_000, input: { team: 7 }, owner: "ann" } as unknown as ScheduleOptions<{ team: string }>;
  await assertRejects(() => server.schedule(report, wrong), InvalidInput, "team");
  await assertRejects(() => server.run({ transport: "http", port: 0, onListen: () => {} }), InvalidInput, "team");
});

Deno.test("an invalid schedule is refused, and the error says what to do", async () => {
  await using server = newServer().server;
  const refusal = async (options: Partial<ScheduleOptions<{ team: string }>>, job: Job<never> = report as Job<never>) =>
    (await assertRejects(() => server.schedule(job, { owner: "ann", ...options }), DefinitionError)).message;
  assertEquals(
    await refusal({}),
    "Cannot schedule report: pass either `cron`, with or without `timeZone`, or `every`.",
  );
  assertEquals((await refusal({ cron: "0 3 * * *", every: 1_000 })).includes("either"), true);
  assertEquals((await refusal({ every: 1_000, timeZone: "UTC" })).includes("either"), true);
  assertEquals((await refusal({ every: 1 })).includes("a whole number from 100"), true);
  for (const owner of ["", "\udc00", undefined]) {
    assertEquals((await refusal({ every: 1_000, owner })).includes("a text of 1 to 128 characters"), true);
  }
  const job = { name: "report" } as unknown as Job<never>;
  assertEquals((await refusal({ every: 1_000 }, job)).includes("defineJob"), true);
  assertEquals((await refusal({ every: 1_000, name: "a b" })).includes("as a name"), true);
  assertEquals((await refusal({ cron: "0 3 * *" })).includes('at "0 3 * *"'), true);
  assertEquals((await refusal({ every: 1_000, input: { team: "x".repeat(60_000) } })).includes("50000"), true);
  await server.schedule(report, { every: 1_000, input: { team: "blue" }, owner: "ann" });
  assertEquals((await refusal({ every: 1_000 })).startsWith("Cannot schedule report twice"), true);
  await server.schedule(report, { name: "second", every: 1_000, input: { team: "red" }, owner: "ann" });
  await server.fetch(new Request("http://localhost/healthz"));
  await assertRejects(
    () => server.schedule(report, { name: "late", every: 1_000, input: { team: "red" }, owner: "ann" }),
    DefinitionError,
    "already serving",
  );
});
