/**
 * Several servers and workers on one Redis, each a process of its own, seen by the official client.
 *
 * @module
 */
import { noRedis, RedisServer } from "../../tools/redis_server.ts";
import { assertEquals } from "../../tools/std.ts";
import { Place, Session, WorkerProcess } from "./stage.ts";

const leftOut = noRedis === undefined ? "" : ` (left out: ${noRedis})`;

Deno.test({
  name:
    `two servers and three workers on one Redis: what one server begins, the other reads, watches and cancels${leftOut}`,
  ignore: noRedis !== undefined,
  fn: async () => {
    await using redis = await RedisServer.start();
    await using place = await Place.make(redis.url);
    await using _first = await WorkerProcess.start(place);
    await using _second = await WorkerProcess.start(place);
    await using _third = await WorkerProcess.start(place);
    await using here = await Session.start("server", place);
    await using there = await Session.start("server", place);

    const cancelled = await here.begin(place);
    await there.runs(cancelled, 1);
    const { status, statusMessage } = await there.client.experimental.tasks.cancelTask(cancelled);
    assertEquals([status, statusMessage], ["cancelled", "50 %, The task was cancelled; its work has stopped."]);
    assertEquals((await here.client.experimental.tasks.getTask(cancelled)).status, "cancelled");

    const ids = await Promise.all(Array.from({ length: 12 }, () => here.begin(place)));
    const results = ids.map((id) => there.result(id));
    await Promise.all(ids.map((id) => there.runs(id, 1)));
    await place.openGate();
    assertEquals(await Promise.all(results), ids.map(() => ({ attempt: 1 })));
  },
});

Deno.test({
  name: `on Redis, too, a worker that is killed is replaced by another${leftOut}`,
  ignore: noRedis !== undefined,
  fn: async () => {
    await using redis = await RedisServer.start();
    await using place = await Place.make(redis.url);
    await using doomed = await WorkerProcess.start(place);
    await using session = await Session.start("server", place);
    const id = await session.begin(place);
    await session.runs(id, 1);
    const result = session.result(id);
    await using _heir = await WorkerProcess.start(place);
    await doomed.kill();
    await session.runs(id, 2);
    await place.openGate();
    assertEquals(await result, { attempt: 2 });
  },
});
