/**
 * A connection, a backend and a worker can be closed at any moment, and nothing that waits for Redis is left waiting.
 *
 * @module
 */
import { Redis, type RedisOptions } from "ioredis";
import { BullMqBackend, createWorker, defineJob } from "../../../../mod.ts";
import { closable, closeForGood, socketOf } from "../../../../src/backends/bullmq/internals.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { doneWithin } from "../../../../src/waiting.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { noOwnRedis, RedisServer } from "../../../../tools/redis_server.ts";
import { ignored } from "../../../support/errors.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { Network } from "../../support/network.ts";
import { newTask } from "../../../support/tasks.ts";

/** Only a test that fails waits as long. */
const TIMEOUT_MS = 120_000;

function test(name: string, fn: (network: Network) => Promise<void>): void {
  testUnless(noOwnRedis, `bullmq on Redis: ${name}`, async () => {
    await using server = await RedisServer.start();
    await using network = new Network(server.url);
    await fn(network);
  });
}

/** A connection to close, and the network before its Redis. */
interface Line {
  readonly network: Network;
  readonly connection: Redis;
  /** Sends a command that Redis does not answer, so that it is under way when the connection is closed. */
  readonly send: () => void;
  readonly on: (event: "connecting" | "connect" | "ready" | "reconnecting" | "end") => Promise<void>;
}

/** Gets a connection ready, with a command under way, and loses it. */
async function lose({ network, connection, send, on }: Line, { silent = false } = {}): Promise<void> {
  const ready = on("ready");
  send();
  await ready;
  network.cut({ silent });
  socketOf(connection).destroy();
}

/** The moments at which a connection is closed. */
const MOMENTS: { readonly [when: string]: (line: Line) => Promise<void> | void } = {
  "that was never used": () => {},
  "that begins to connect": ({ send }) => send(),
  "whose socket is not open yet": async ({ send, on }) => {
    send();
    await on("connecting");
    await new Promise<void>((resolve) => queueMicrotask(resolve));
  },
  "that waits for the first answer of Redis": async ({ network, send, on }) => {
    network.cut({ silent: true });
    send();
    await on("connect");
  },
  "that is in use": async ({ send, on }) => {
    send();
    await on("ready");
    send();
  },
  "on which Redis no longer answers": async ({ network, send, on }) => {
    send();
    await on("ready");
    network.cut();
    send();
  },
  "whose socket was closed in the same turn": (line) => lose(line),
  "that waits to connect again": async (line) => {
    await lose(line);
    await line.on("reconnecting");
    line.send();
  },
  "that begins to connect again": async (line) => {
    await lose(line);
    await line.on("connecting");
    line.send();
  },
  "that connects again and waits for the first answer of Redis": async (line) => {
    await lose(line, { silent: true });
    await line.on("connect");
    line.send();
  },
  "that was lost again before it was ready": async (line) => {
    await lose(line, { silent: true });
    await line.on("connect");
    socketOf(line.connection).destroy();
    await line.on("reconnecting");
  },
  "that is ready again": async (line) => {
    await lose(line);
    await line.on("ready");
  },
  "that was closed before": async (line) => {
    await lose(line);
    await closeForGood(line.connection);
  },
  "that is being closed": async (line) => {
    await lose(line, { silent: true });
    await line.on("connect");
    line.connection.disconnect();
  },
};

for (const [when, bring] of Object.entries(MOMENTS)) {
  test(`a connection ${when} can be closed, and rejects what is under way`, async (network) => {
    const options: RedisOptions = { lazyConnect: true, maxRetriesPerRequest: null, disconnectTimeout: 50 };
    const connection = closable(new Redis(network.url, options));
    connection.on("error", () => {}); // That it is lost is what the test does.
    const sent: Promise<unknown>[] = [];
    const send = () => void sent.push(connection.xread("BLOCK", 0, "STREAMS", "none", "$"));
    const on: Line["on"] = (event) => new Promise((resolve) => connection.once(event, () => resolve()));
    await bring({ network, connection, send, on });
    const ends = Promise.allSettled(sent);
    assert(await doneWithin(closeForGood(connection), TIMEOUT_MS), "the connection is closed");
    assert(await doneWithin(ends, TIMEOUT_MS), "what was under way has ended");
    assertEquals([connection.status, (await ends).find(({ status }) => status === "fulfilled")], ["end", undefined]);
  });
}

test("a backend and its worker can be closed while all of their connections are made anew", async (network) => {
  const backend = await BullMqBackend.connect({ redis: network.url, onError: ignored });
  using feed = new TaskFeed(backend);
  const running = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const run = async () => {
    running.resolve();
    await over.promise;
    return "done";
  };
  const worker = createWorker(backend, [defineJob({ name: "far", input: { type: "object" }, run })]);
  await worker.ready;
  const id = newTaskId();
  await backend.create(newTask({ id, job: "far", owner: "owner" }));
  const followed = Promise.withResolvers<void>();
  const stop = feed.follow(await backend.get(id, "owner"), ({ status }) => status === "RUNNING" && followed.resolve());
  await Promise.all([running.promise, followed.promise]);
  stop();

  // The backend's own, its signals and the events of the queue; the worker's, and the one on which it waits for jobs. On a
  // busy machine one may have tried twice.
  const haveConnected = () => Promise.resolve(network.made >= 5);
  assert(await haveConnected());
  network.drop({ silent: true });
  await until(haveConnected, "each has connected again");
  over.resolve();
  assert(await doneWithin(worker.close(0), TIMEOUT_MS), "the worker is closed");
  assert(await doneWithin(backend.close(), TIMEOUT_MS), "the backend is closed");
});

test("a backend that is closed opens no connection again when somebody begins to watch it", async (network) => {
  const backend = await BullMqBackend.connect({ redis: network.url, onError: ignored });
  await backend.close();
  const stops = [backend.watch(() => {}), backend.documents.watch(() => {})];
  // It connects later than a connection that these had opened.
  await using other = await BullMqBackend.connect({ redis: network.url, onError: ignored });
  await other.check();
  assertEquals(network.made, 2);
  for (const stop of stops) stop();
});
