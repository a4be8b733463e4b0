/**
 * What survives `kill -9`, with real processes, seen by the official client.
 *
 * @module
 */
import { assertEquals } from "../../tools/std.ts";
import { Place, Session, WorkerProcess } from "./stage.ts";

Deno.test("an embedded server that is killed goes on with its task when it is started again", async () => {
  await using place = await Place.make();
  await using first = await Session.start("embedded", place);
  const id = await first.begin(place);
  await first.runs(id, 1);
  await first.kill();

  await using second = await Session.start("embedded", place);
  await second.runs(id, 2);
  await place.openGate();
  assertEquals(await second.result(id), { attempt: 2 });
});

Deno.test("a server that is killed takes nothing with it: the worker goes on, the next server has the result", async () => {
  await using place = await Place.make();
  await using _worker = await WorkerProcess.start(place);
  await using first = await Session.start("server", place);
  const id = await first.begin(place);
  await first.runs(id, 1);
  await first.kill();

  await using second = await Session.start("server", place);
  await place.openGate();
  assertEquals(await second.result(id), { attempt: 1 });
});

Deno.test("a worker that is killed is replaced by another, and the client that waits gets the result", async () => {
  await using place = await Place.make();
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
});

Deno.test("a task that was waiting while everything was killed runs when a worker comes", async () => {
  await using place = await Place.make();
  await place.openGate();
  await using first = await Session.start("server", place);
  const id = await first.begin(place);
  await first.kill();

  await using second = await Session.start("server", place);
  await using _worker = await WorkerProcess.start(place);
  assertEquals(await second.result(id), { attempt: 1 });
});
