/**
 * What survives `kill -9`, on both backends, seen by the official client: what is killed is a real process.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { TaskStatusNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { noOwnRedis, RedisServer } from "../../tools/redis_server.ts";
import { isObject } from "../../src/json.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";
import { Place, Session, WorkerProcess, workHere } from "./stage.ts";

/** After how long a silent worker counts as dead, in ms: short where one dies. */
const LEASE = 3_000;

/** As long as nobody who lives could be silent. */
const ENDLESS = 60_000;

/** One case that holds on a KV file and on a Redis. */
function onBoth(name: string, fn: (place: Place) => Promise<void>, lease = LEASE): void {
  Deno.test(`on KV ${name}`, async () => {
    await using place = await Place.make(lease);
    await fn(place);
  });
  testUnless(
    noOwnRedis,
    `on Redis ${name}`,
    async () => {
      await using redis = await RedisServer.start();
      await using place = await Place.make(lease, redis.url);
      await fn(place);
    },
  );
}

/** Checks that a result is that of the second attempt, or of a later one: see `Session.runs`. */
function assertAgain(result: unknown): void {
  const attempt = isObject(result) ? Number(result.attempt) : NaN;
  assert(attempt >= 2, `The result is that of attempt ${attempt}.`);
}

onBoth("an embedded server that is killed goes on with its task when it is started again", async (place) => {
  await using first = await Session.start("embedded", place);
  const id = await first.begin(place);
  await first.runs(id, 1);
  await first.kill();

  await using second = await Session.here("embedded", place);
  await second.runs(id, 2);
  await place.openGate();
  assertAgain(await second.result(id));
});

onBoth(
  "an embedded server whose terminal is closed hands its task back, so the next one runs it at once",
  async (place) => {
    await using first = await Session.start("embedded", place);
    const id = await first.begin(place);
    await first.runs(id, 1);
    await first.kill("SIGHUP");

    await using second = await Session.here("embedded", place);
    await place.openGate();
    // A run that was handed back does not count. One whose worker has died does, and would only follow after its lease.
    assertEquals(await second.result(id), { attempt: 1 });
  },
  ENDLESS,
);

onBoth(
  "a server that is killed takes nothing along: the worker goes on, the next server has the result",
  async (place) => {
    await using _worker = await workHere(place);
    await using first = await Session.start("server", place);
    const id = await first.begin(place);
    await first.runs(id, 1);
    await first.kill();

    await using second = await Session.here("server", place);
    await place.openGate();
    assertEquals(await second.result(id), { attempt: 1 });
  },
  ENDLESS,
);

onBoth("a worker that is killed is replaced by another, and the client that waits gets the result", async (place) => {
  await using doomed = await WorkerProcess.start(place);
  await using session = await Session.here("server", place);
  const id = await session.begin(place);
  await session.runs(id, 1);
  const result = session.result(id);
  result.catch(() => {}); // The test may fail before it is awaited.

  await using _heir = await workHere(place);
  await doomed.kill();
  await session.runs(id, 2);
  await place.openGate();
  assertAgain(await result);
});

onBoth("a task that was waiting while everything was killed runs when a worker comes", async (place) => {
  await place.openGate();
  await using first = await Session.start("server", place);
  const id = await first.begin(place);
  await first.kill();

  await using second = await Session.here("server", place);
  await using _worker = await workHere(place);
  assertEquals(await second.result(id), { attempt: 1 });
}, ENDLESS);

onBoth("what one server begins, the other reads, watches and cancels, with three workers", async (place) => {
  await using _first = await WorkerProcess.start(place);
  await using _second = await workHere(place);
  await using _third = await workHere(place);
  await using here = await Session.here("server", place);
  await using there = await Session.start("server", place);

  const pushed: string[] = [];
  here.client.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => void pushed.push(params.status));
  const cancelled = await here.begin(place);
  await there.runs(cancelled, 1);
  const { status, statusMessage } = await there.client.experimental.tasks.cancelTask(cancelled);
  assertEquals([status, statusMessage], ["cancelled", "The task was cancelled; its work has stopped."]);
  await until(() => pushed.includes("cancelled"), "the first server tells of the cancel");
  assertEquals((await here.client.experimental.tasks.getTask(cancelled)).status, "cancelled");

  const ids = await Promise.all(Array.from({ length: 12 }, () => here.begin(place)));
  const results = Promise.all(ids.map((id) => there.result(id)));
  results.catch(() => {}); // The test may fail before they are awaited.
  await Promise.all(ids.map((id) => there.runs(id, 1)));
  await place.openGate();
  assertEquals(await results, ids.map(() => ({ attempt: 1 })));
}, ENDLESS);
