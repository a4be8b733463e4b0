import type { KeyStore } from "../../../backend.ts";
import { MemoryBackend, type TaskInfo } from "../../../mod.ts";
import { newTaskId } from "../../../src/ids.ts";
import { Callers, type Wait } from "../../../src/tasks/callers/callers.ts";
import { pause } from "../../../src/waiting.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals, FakeTime } from "../../../tools/std.ts";
import { pass } from "../../support/time.ts";
import { newTask } from "../../support/tasks.ts";

const LIST = { owner: "me", key: "orphan:report:1" };

/** One store with several servers, in a time that passes by itself. */
class Servers implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly time = new FakeTime();
  readonly #servers: Callers[] = [];

  /** A server, with a clock and a way to the store of its own. */
  start(now: () => number = Date.now, keys: KeyStore = this.backend.keys): Callers {
    const server = new Callers(keys, now, ignored);
    this.#servers.push(server);
    return server;
  }

  /** A task that is stored. */
  task(): Promise<TaskInfo> {
    return this.backend.create(newTask({ job: "report", owner: "me" }));
  }

  /** A task whose call waits in a server for long enough to be marked in the store. */
  async waitingIn(
    server: Callers,
    closedAt?: () => number,
  ): Promise<{ readonly task: TaskInfo; readonly wait: Wait }> {
    const task = await this.task();
    const wait = server.wait(task, () => LIST, false, closedAt);
    const isMarked = async () => {
      while (!(await this.backend.keys.readKey("me", LIST.key))?.includes(task.id)) await pause(10);
    };
    await this.pass(isMarked());
    return { task, wait };
  }

  /** Takes the task that is left over. */
  take(server: Callers): Promise<string | undefined> {
    const read = (id: string) => this.backend.get(id, "me");
    return this.pass(server.take(LIST, read).then(({ task }) => task?.id));
  }

  pass<T>(promise: Promise<T>): Promise<T> {
    return pass(this.time, promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server[Symbol.dispose]();
    await this.backend.close();
    this.time.restore();
  }
}

/** The same keys, of which every so many reads one fails. */
function failingEvery(reads: number, keys: KeyStore): KeyStore {
  let count = 0;
  return {
    readKey: (owner, key) =>
      ++count % reads === 0 ? Promise.reject(new Error("The store is away.")) : keys.readKey(owner, key),
    writeKey: (...write) => keys.writeKey(...write),
  };
}

Deno.test("the task of a call whose server was killed is taken over by one other call, once the server is known to be dead", async () => {
  await using servers = new Servers();
  const killed = servers.start();
  const { task } = await servers.waitingIn(killed);
  killed[Symbol.dispose](); // It does nothing any more, and has told nobody.
  const [other, third] = [servers.start(), servers.start()];
  const taken = await Promise.all([servers.take(other), servers.take(third)]);
  assertEquals(taken.toSorted(), [task.id, undefined]);
});

Deno.test("several calls with the same input that a server has left are taken over one by one", async () => {
  await using servers = new Servers();
  const killed = servers.start();
  const first = await servers.waitingIn(killed);
  const second = await servers.waitingIn(killed);
  killed[Symbol.dispose]();
  const other = servers.start();
  const taken = [await servers.take(other), await servers.take(other), await servers.take(other)];
  assertEquals(taken, [second.task.id, first.task.id, undefined]);
});

Deno.test("the task of a call that waits in a living server is taken over by no other call, there or elsewhere", async () => {
  await using servers = new Servers();
  const living = servers.start();
  await servers.waitingIn(living);
  assertEquals(await servers.take(living), undefined);
  assertEquals(await servers.take(servers.start()), undefined);
});

Deno.test("a call that comes just before the cancellation of the one before it takes over its task", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { task, wait } = await servers.waitingIn(server);
  const taken = servers.take(server);
  const left = pause(100).then(async () => {
    await server.offer(Promise.resolve(task), LIST, { givenUpAfter: 5_000 });
    server.leave(wait, false);
  });
  assertEquals(await taken, task.id);
  await left;
});

Deno.test("a server that was alive at the last check can be found dead later", async () => {
  await using servers = new Servers();
  const killed = servers.start();
  const { task } = await servers.waitingIn(killed);
  const other = servers.start();
  assertEquals(await servers.take(other), undefined);
  await servers.pass(pause(2_000));
  killed[Symbol.dispose]();
  assertEquals(await servers.take(other), task.id);
});

Deno.test("a call that has received its answer leaves nothing behind, even if its server is killed later", async () => {
  await using servers = new Servers();
  const { keys } = servers.backend;
  const written = new Map<string, string>();
  const writeKey: KeyStore["writeKey"] = async (owner, key, ...change) => {
    written.set(key, owner);
    await pause(10);
    return await keys.writeKey(owner, key, ...change);
  };
  const server = servers.start(Date.now, { ...keys, writeKey });
  const { wait } = await servers.waitingIn(server);
  server.leave(wait, true);
  await servers.pass(server.close());
  const left = await Promise.all(written.entries().map(([key, owner]) => keys.readKey(owner, key)));
  assertEquals(left, [undefined, undefined]); // The list, and the sign of life of the server.
  assertEquals(await servers.take(servers.start()), undefined);
});

Deno.test("a call that is over soon writes nothing to the store", async () => {
  await using servers = new Servers();
  const { writeKey } = servers.backend.keys;
  let writes = 0;
  const keys = {
    ...servers.backend.keys,
    writeKey: (...change: Parameters<typeof writeKey>) => {
      writes++;
      return writeKey(...change);
    },
  };
  using server = new Callers(keys, Date.now, ignored);
  const wait = server.wait(await servers.task(), () => LIST);
  await servers.pass(pause(200));
  server.leave(wait, true);
  await servers.pass(pause(10_000));
  assertEquals(writes, 0);
});

Deno.test("a server without waiting calls stops its heartbeat, and leaves none behind", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const named: string[] = [];
  const { writeKey } = servers.backend.keys;
  Object.assign(servers.backend.keys, {
    writeKey: (owner: string, key: string, from?: string, to?: string) => {
      if (owner === "") named.push(to ?? "nothing");
      return writeKey(owner, key, from, to);
    },
  });
  const { wait } = await servers.waitingIn(server);
  await servers.pass(pause(3_000));
  server.leave(wait, true);
  await servers.pass(pause(5_000));
  assertEquals(named, ["1", "2", "3", "4", "nothing"]);
});

Deno.test("a call is not marked before others can see that its server lives: they would take its task for left", async () => {
  await using servers = new Servers();
  const { keys } = servers.backend;
  const writeKey: KeyStore["writeKey"] = async (owner, ...change) => {
    if (owner === "") await pause(500);
    return await keys.writeKey(owner, ...change);
  };
  await servers.waitingIn(servers.start(Date.now, { ...keys, writeKey }));
  assertEquals(await servers.take(servers.start()), undefined);
});

Deno.test("a server whose calls have all ended, and which has waiting calls again later, is seen to live again", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { wait } = await servers.waitingIn(server);
  server.leave(wait, true);
  await servers.pass(pause(5_000));
  await servers.waitingIn(server);
  assertEquals(await servers.take(servers.start()), undefined);
});

Deno.test("a task whose call could not be marked while the store was away is marked with the next call that waits for it", async () => {
  await using servers = new Servers();
  const { keys } = servers.backend;
  let isAway = true;
  const writeKey: KeyStore["writeKey"] = (...change) =>
    isAway ? Promise.reject(new Error("The store is away.")) : keys.writeKey(...change);
  const killed = servers.start(Date.now, { ...keys, writeKey });
  const task = await servers.task();
  killed.wait(task, () => LIST);
  await servers.pass(pause(20_000));
  isAway = false;
  killed.wait(task, () => LIST);
  await servers.pass(pause(1_000));
  killed[Symbol.dispose]();
  assertEquals(await servers.take(servers.start()), task.id);
});

Deno.test("many calls that look at a living server at the same time do not take it for dead", async () => {
  await using servers = new Servers();
  await servers.waitingIn(servers.start());
  const other = servers.start();
  const taken = await Promise.all(Array.from({ length: 10 }, () => servers.take(other)));
  assertEquals(taken.filter((id) => id !== undefined), []);
});

Deno.test("a server that was frozen and counted as dead is alive again once its heartbeat continues", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { task } = await servers.waitingIn(server);
  const other = servers.start();
  // What another server does once it sees no change for 3 s.
  const number = async () => (await servers.backend.keys.readKey("me", LIST.key))?.split("@")[1] ?? "";
  const key = `server:${await number()}`;
  await servers.backend.keys.writeKey("", key, await servers.backend.keys.readKey("", key), undefined);
  await servers.pass(pause(2_000));
  assertEquals(await servers.take(other), undefined);
  const call = other.wait(task, () => LIST);
  other.leave(call, false);
  assertEquals(await servers.pass(other.isShared(call)), true);
});

Deno.test("a task is shared while another call waits for it, in this server or in another living one", async () => {
  await using servers = new Servers();
  const [one, two] = [servers.start(), servers.start()];
  const { task, wait } = await servers.waitingIn(one);
  const isShared = (server: Callers, call: Wait) => {
    server.leave(call, false);
    return servers.pass(server.isShared(call));
  };
  assertEquals(await isShared(one, one.wait(task, () => LIST)), true);
  assertEquals(await isShared(two, two.wait(task, () => LIST)), true);
  one[Symbol.dispose]();
  assertEquals(await isShared(two, two.wait(task, () => LIST)), false);
  assertEquals(await isShared(one, wait), false);
});

Deno.test("a server whose clock is set while it looks at another one does not take that one for dead", async () => {
  await using servers = new Servers();
  const one = servers.start();
  for (const jump of [3_600_000, -3_600_000]) {
    const { task } = await servers.waitingIn(one);
    let ahead = 0;
    const two = servers.start(() => Date.now() + ahead);
    const call = two.wait(task, () => LIST);
    two.leave(call, false);
    const shared = two.isShared(call);
    await servers.pass(pause(150));
    ahead = jump;
    assertEquals(await servers.pass(shared), true);
  }
});

Deno.test("a killed server is found dead also while the store fails now and then: each look goes on where the last one failed", async () => {
  await using servers = new Servers();
  const killed = servers.start();
  const { task } = await servers.waitingIn(killed);
  killed[Symbol.dispose]();
  const other = servers.start(Date.now, failingEvery(20, servers.backend.keys));
  const looks = [];
  for (let look = 0; look < 3; look++) looks.push(await servers.take(other).catch(({ message }) => message));
  assertEquals(looks.slice(0, 2), ["The store is away.", task.id]);
});

Deno.test("of calls that leave a task at the same moment, the last one does not share it", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { task, wait } = await servers.waitingIn(server);
  const waits = [wait, server.wait(task, () => LIST, true), server.wait(task, () => LIST, true)];
  const shared = waits.map((one) => {
    server.leave(one, false);
    return server.isShared(one);
  });
  assertEquals(await servers.pass(Promise.all(shared)), [true, true, false]);
});

Deno.test("a task that a call has found is another's, unless the call that has started it waited here and left without an answer", async () => {
  await using servers = new Servers();
  const [one, two] = [servers.start(), servers.start()];
  const { task, wait } = await servers.waitingIn(one);
  const found = one.wait(task, () => LIST, true);
  one.leave(wait, false);
  one.leave(found, false);
  assertEquals(await servers.pass(one.isShared(found)), false);
  const elsewhere = two.wait(task, () => LIST, true);
  two.leave(elsewhere, false);
  assertEquals(await servers.pass(two.isShared(elsewhere)), true);
});

Deno.test("a task is shared once another call has received it as its answer", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { task, wait } = await servers.waitingIn(server);
  server.leave(server.wait(task, () => LIST, true), true);
  server.leave(wait, false);
  assertEquals(await servers.pass(server.isShared(wait)), true);
});

for (const waits of [true, false]) {
  const then = waits ? "is not shared once this one leaves, too" : "is shared: this one returned it at once";
  Deno.test(`a task that another call has found, which waits for it: ${waits}, ${then}`, async () => {
    await using servers = new Servers();
    const server = servers.start();
    const { task, wait } = await servers.waitingIn(server);
    server.found(task, LIST, waits);
    server.leave(wait, false);
    assertEquals(await servers.pass(server.isShared(wait)), !waits);
  });
}

Deno.test("a server that closes waits for its calls, and then until their tasks are offered to others", async () => {
  await using servers = new Servers();
  const { keys } = servers.backend;
  const writeKey: KeyStore["writeKey"] = async (...change) => {
    await pause(500);
    return await keys.writeKey(...change);
  };
  const server = servers.start(Date.now, { ...keys, writeKey });
  const task = await servers.task();
  const ending = Promise.withResolvers<void>();
  void server.untilClosed(ending.promise.then(() => void server.offer(Promise.resolve(task), LIST)));
  let isClosed = false;
  const closing = server.close().then(() => isClosed = true);
  await servers.pass(pause(1_000));
  assertEquals(isClosed, false);
  ending.resolve();
  await servers.pass(closing);
  assertEquals(await servers.take(servers.start()), task.id);
});

Deno.test("an offer waits for the task to be stored, and only starts with the same list wait for it", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const storing = Promise.withResolvers<TaskInfo>();
  const offering = server.offer(storing.promise, LIST);
  const read = (id: string) => servers.backend.get(id, "me");
  assertEquals((await servers.pass(server.take({ ...LIST, key: "orphan:report:2" }, read))).task, undefined);
  const taking = servers.take(server);
  const task = await servers.task();
  storing.resolve(task);
  await servers.pass(offering);
  assertEquals(await taking, task.id);
});

Deno.test("an offered task that cannot be read just now is still there for the next call", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const task = await servers.task();
  await servers.pass(server.offer(Promise.resolve(task), LIST));
  const failing = () => Promise.reject(new Error("The store is away."));
  const error = await servers.pass(server.take(LIST, failing).catch(({ message }) => message));
  assertEquals(error, "The store is away.");
  assertEquals(await servers.take(server), task.id);
});

Deno.test("an offered task that is gone is passed over: the call takes the next one", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const left = await servers.task();
  await servers.pass(server.offer(Promise.resolve(left), LIST));
  await servers.pass(server.offer(Promise.resolve({ ...left, id: newTaskId() }), LIST));
  assertEquals(await servers.take(server), left.id);
});

Deno.test("an offered task that is cancelled meanwhile, or is to be, is not taken", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const [cancelled, stopping] = [await servers.task(), await servers.task()];
  for (const task of [cancelled, stopping]) await servers.pass(server.offer(Promise.resolve(task), LIST));
  await servers.backend.cancel(cancelled.id, "me", 0);
  const read = async (id: string): Promise<TaskInfo> => {
    const task = await servers.backend.get(id, "me");
    return id === stopping.id ? { ...task, status: "RUNNING", stopRequested: true } : task;
  };
  assertEquals((await servers.pass(server.take(LIST, read))).task, undefined);
});

Deno.test("a call waits for each offer that is on its way, also once another one has been stored", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const storing = Promise.withResolvers<TaskInfo>();
  const late = server.offer(storing.promise, LIST);
  const first = await servers.task();
  await servers.pass(server.offer(Promise.resolve(first), LIST));
  const read = (id: string) => servers.backend.get(id, "me");
  const taking = [1, 2].map(() => server.take(LIST, read, { isUnique: true }).then(({ task }) => task?.id));
  await servers.pass(pause(1));
  const second = await servers.task();
  storing.resolve(second);
  await servers.pass(late);
  assertEquals((await Promise.all(taking)).toSorted(), [first.id, second.id].toSorted());
  assertEquals(server.seemsEmpty(LIST), true); // The next call need not read the list.
});

Deno.test("a start with a key leaves an open task of a living server to that key at once, and one that has ended to its caller", async () => {
  await using servers = new Servers();
  const [one, two] = [servers.start(), servers.start()];
  const { task } = await servers.waitingIn(one);
  const read = (id: string) => servers.backend.get(id, "me");
  const began = Date.now();
  assertEquals(await servers.pass(two.take(LIST, read, { isUnique: true })), {});
  assertEquals(Date.now() - began, 0);
  await servers.backend.cancel(task.id, "me", 0);
  assertEquals((await servers.pass(two.take(LIST, read, { isUnique: true }))).task, undefined);
});

Deno.test("a start with a key finds the open task of a killed server, is its only caller then, and leaves nothing to the next one", async () => {
  await using servers = new Servers();
  const [killed, other] = [servers.start(), servers.start()];
  const { task } = await servers.waitingIn(killed);
  killed[Symbol.dispose]();
  const mark = await servers.backend.keys.readKey("me", LIST.key) ?? "none";
  const read = (id: string) => servers.backend.get(id, "me");
  assertEquals(await servers.pass(other.take(LIST, read, { isUnique: true })), {});
  const wait = other.wait(task, () => LIST, true);
  const unmarked = async () => {
    while ((await servers.backend.keys.readKey("me", LIST.key))?.includes(mark)) await pause(10);
  };
  await servers.pass(unmarked());
  other.leave(wait, false);
  assertEquals(await servers.pass(other.isShared(wait)), false);
  await servers.backend.cancel(task.id, "me", 0);
  assertEquals(await servers.take(other), undefined);
});

Deno.test("a start with a key that finds the task of a call elsewhere leaves it alone once that one has its handle", async () => {
  await using servers = new Servers();
  const [one, two] = [servers.start(), servers.start()];
  const { task, wait: first } = await servers.waitingIn(one);
  const read = (id: string) => servers.backend.get(id, "me");
  assertEquals(await servers.pass(two.take(LIST, read, { isUnique: true })), {});
  const wait = two.wait(task, () => LIST, true);
  one.leave(first, true);
  await servers.pass(pause(5_000));
  two.leave(wait, false);
  assertEquals(await servers.pass(two.isShared(wait)), true);
});

Deno.test("a start that has failed offers nothing", async () => {
  await using servers = new Servers();
  const errors: unknown[] = [];
  using server = new Callers(servers.backend.keys, Date.now, (error) => errors.push(error));
  await servers.pass(server.offer(Promise.reject(new Error("The store is away.")), LIST));
  await servers.pass(server.close());
  assertEquals(await servers.take(servers.start()), undefined);
  assertEquals(errors, []); // The call that starts the task gets the error.
});

Deno.test("a call that leaves does not share its task because a living server waits for another task with the same input", async () => {
  await using servers = new Servers();
  const [one, two] = [servers.start(), servers.start()];
  await servers.waitingIn(one);
  const { wait } = await servers.waitingIn(two);
  two.leave(wait, false);
  assertEquals(await servers.pass(two.isShared(wait)), false);
});

Deno.test("a task is taken while it is offered, and no longer once its offer has run out", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const [first, second] = [await servers.task(), await servers.task()];
  for (const task of [first, second]) {
    await servers.pass(server.offer(Promise.resolve(task), LIST, { ms: 60_000 }));
  }
  await servers.pass(pause(59_000));
  assertEquals(await servers.take(server), second.id);
  await servers.pass(pause(1_000));
  assertEquals(await servers.take(server), undefined);
});

Deno.test("of several calls, one takes over the task of a call here whose client cannot be reached, and may cancel it", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { task } = await servers.waitingIn(server, () => 0);
  const taken = await Promise.all([servers.take(server), servers.take(server)]);
  assertEquals(taken.toSorted(), [task.id, undefined]);
  const wait = server.wait(task, () => LIST);
  assertEquals(await servers.take(server), undefined);
  server.leave(wait, false);
  assertEquals(await servers.pass(server.isShared(wait)), false);
});

Deno.test("the task that a call has taken over from another one of its server is taken over again once that server is killed", async () => {
  await using servers = new Servers();
  const server = servers.start();
  const { task, wait } = await servers.waitingIn(server, () => 0);
  assertEquals(await servers.take(server), task.id);
  server.wait(task, () => LIST);
  await servers.pass(pause(1_000));
  server.leave(wait, false);
  await servers.pass(pause(1_000));
  server[Symbol.dispose]();
  assertEquals(await servers.take(servers.start()), task.id);
});
