/** What a session has just sent is kept in memory for a while, and all sessions together stay within one budget. */
import { MemoryBackend } from "../../../../mod.ts";
import { SessionEvents } from "../../../../src/mcp/http/sessions/events.ts";
import { RecentEvents } from "../../../../src/mcp/http/sessions/recent.ts";
import { assertEquals, FakeTime } from "../../../../tools/std.ts";

const MESSAGE_LENGTH = 450_000;

/** How many messages of this length the budget holds, 16 Mi characters. */
const ROOM = 37;

const LONG = "x".repeat(MESSAGE_LENGTH);

/** Sends one long message in a session: a quick response, or one that took a while. */
async function send(events: SessionEvents, quick: boolean): Promise<string> {
  const begun = quick
    ? await events.storeEvent("stream", {} as never)
    : await events.storeEvent("stream", NOTIFICATION);
  await events.storeEvent("stream", { jsonrpc: "2.0", id: 1, result: { text: LONG } });
  return begun;
}

const NOTIFICATION = { jsonrpc: "2.0", method: "notifications/progress" } as const;

async function replayed(events: SessionEvents, lastEventId: string): Promise<number> {
  let count = 0;
  await events.replayEventsAfter(lastEventId, { send: () => Promise.resolve(void count++) });
  return count;
}

Deno.test("sessions that come and go share one budget of recent messages, and the oldest are dropped first", async () => {
  using _time = new FakeTime(); // A response is quick, however slow the machine is.
  await using backend = new MemoryBackend();
  const recent = new RecentEvents();
  const sessions = Array.from({ length: 60 }, () => {
    const events = new SessionEvents(backend.streams, recent, crypto.randomUUID());
    return { events, begun: send(events, true) };
  });
  for (const { begun } of sessions) await begun;
  assertEquals(recent.size, ROOM);
  const held: number[] = [];
  for (const { events, begun } of sessions) held.push(await replayed(events, await begun));
  assertEquals(held, [...Array(60 - ROOM).fill(0), ...Array(ROOM).fill(1)]);
});

Deno.test("a dropped message is still read from the store, unless it was a quick response", async () => {
  using _time = new FakeTime(); // A response is quick, however slow the machine is.
  await using backend = new MemoryBackend();
  const recent = new RecentEvents();
  const [waited, quick] = [1, 2].map(() => new SessionEvents(backend.streams, recent, crypto.randomUUID()));
  if (!waited || !quick) throw new Error("Two sessions are missing.");
  const [ofWaited, ofQuick] = [await send(waited, false), await send(quick, true)];
  for (let i = 0; i < ROOM; i++) await send(new SessionEvents(backend.streams, recent, crypto.randomUUID()), true);
  assertEquals([await replayed(waited, ofWaited), await replayed(quick, ofQuick)], [1, 0]);
});

Deno.test("a message is kept in memory for a minute", async () => {
  await using backend = new MemoryBackend();
  using time = new FakeTime();
  const recent = new RecentEvents();
  const events = new SessionEvents(backend.streams, recent, crypto.randomUUID());
  const begun = await send(events, true);
  time.tick(59_999);
  recent.dropOld();
  assertEquals(await replayed(events, begun), 1);
  time.tick(1);
  recent.dropOld();
  assertEquals([await replayed(events, begun), recent.size], [0, 0]);
});

Deno.test("a session keeps 64 messages in memory, and never pushes out those of others", async () => {
  using _time = new FakeTime(); // A response is quick, however slow the machine is.
  await using backend = new MemoryBackend();
  const recent = new RecentEvents();
  const [other, busy] = [1, 2].map(() => new SessionEvents(backend.streams, recent, crypto.randomUUID()));
  if (!other || !busy) throw new Error("Two sessions are missing.");
  const begun = await send(other, true);
  for (let i = 0; i < 100; i++) await busy.storeEvent("stream", NOTIFICATION);
  assertEquals(recent.size, 65);
  for (let i = 0; i < 100; i++) await send(busy, true);
  assertEquals([await replayed(other, begun), recent.size], [1, 3]);
});

Deno.test("a message that is too long to be stored is sent, and those after it are stored", async () => {
  await using backend = new MemoryBackend();
  const events = new SessionEvents(backend.streams, new RecentEvents(), crypto.randomUUID());
  const begun = await events.storeEvent("stream", NOTIFICATION);
  const long = { ...NOTIFICATION, params: { text: "x".repeat(2 * 1024 * 1024) } };
  const id = await events.storeEvent("stream", long);
  await events.storeEvent("stream", NOTIFICATION);
  assertEquals([await replayed(events, begun), await replayed(events, id)], [1, 1]);
});

Deno.test("a client that resumes waits for messages that are still being stored", async () => {
  await using backend = new MemoryBackend();
  const { append } = backend.streams;
  const goOn = Promise.withResolvers<void>();
  backend.streams.append = async (...args) => {
    await goOn.promise;
    await append.call(backend.streams, ...args);
  };
  // Nothing this old is kept.
  using time = new FakeTime();
  const recent = new RecentEvents();
  const events = new SessionEvents(backend.streams, recent, crypto.randomUUID());
  const begun = await events.storeEvent("stream", {} as never);
  await events.storeEvent("stream", NOTIFICATION);
  time.tick(60_000);
  recent.dropOld();
  const replaying = replayed(events, begun);
  goOn.resolve();
  assertEquals(await replaying, 1);
});

Deno.test("messages that are sent while a stream is resumed come with the others, once and in order", async () => {
  await using backend = new MemoryBackend();
  const events = new SessionEvents(backend.streams, new RecentEvents(), crypto.randomUUID());
  const begun = await events.storeEvent("stream", {} as never);
  const sent = [await events.storeEvent("stream", NOTIFICATION)];
  const came: string[] = [];
  await events.replayEventsAfter(begun, {
    send: async (id) => {
      came.push(id);
      if (sent.length < 3) sent.push(await events.storeEvent("stream", NOTIFICATION));
    },
  });
  assertEquals([came.length, came], [3, sent]);
});
