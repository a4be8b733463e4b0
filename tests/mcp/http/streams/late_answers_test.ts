import { LateAnswers } from "../../../../src/mcp/http/streams/late_answers.ts";
import { assertEquals, FakeTime } from "../../../../tools/std.ts";

/** A response that is late by 100 ms, and what has happened to it. */
async function late(time: FakeTime, answers = new LateAnswers()) {
  const answer = Promise.withResolvers<Response>();
  const said: string[] = [];
  const responding = answers.respond(answer.promise, () => said.push("sent"), () => said.push("gone"));
  await time.tickAsync(100);
  const { body, headers } = await responding;
  if (body === null) throw new Error("The response has no body.");
  return { answer, said, headers, reader: body.pipeThrough(new TextDecoderStream()).getReader() };
}

type Late = Awaited<ReturnType<typeof late>>;

Deno.test("an answer that arrives soon is sent as JSON, not as a stream", async () => {
  const answer = Response.json({ result: {} });
  let sent = 0;
  const response = await new LateAnswers().respond(Promise.resolve(answer), () => sent++, () => {});
  assertEquals([response === answer, sent], [true, 1]);
});

Deno.test("a late answer is the one event of a stream, which comments keep open until then", async () => {
  using time = new FakeTime();
  const { answer, said, headers, reader } = await late(time);
  assertEquals(headers.get("content-type"), "text/event-stream");
  const comment = reader.read();
  await time.tickAsync(15_000);
  assertEquals((await comment).value, ": keepalive\n\n");
  // Nobody reads: comments do not pile up.
  await time.tickAsync(60_000);
  answer.resolve(Response.json({ id: 1, result: {} }));
  let text = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  assertEquals(text.replace(/^(: keepalive\n\n){0,2}/, ""), 'event: message\ndata: {"id":1,"result":{}}\n\n');
  assertEquals(said, ["sent"]);
});

Deno.test("comments keep the stream of a call open though others end, and that of a call that begins after all are over", async () => {
  using time = new FakeTime();
  const answers = new LateAnswers();
  const readComments = async (...calls: readonly Late[]) => {
    await time.tickAsync(15_000);
    for (const { reader } of calls) assertEquals((await reader.read()).value, ": keepalive\n\n");
  };
  const end = async ({ answer, reader }: Late) => {
    answer.resolve(Response.json({}));
    while (!(await reader.read()).done);
  };
  for (let pair = 0; pair < 2; pair++) {
    const [ending, staying] = [await late(time, answers), await late(time, answers)];
    await readComments(ending, staying);
    await end(ending);
    await readComments(staying);
    await end(staying);
  }
});

Deno.test("a client that closes the stream of a late answer is gone, and a call without an answer only ends its stream", async () => {
  using time = new FakeTime();
  const closed = await late(time);
  await closed.reader.cancel();
  assertEquals(closed.said, ["sent", "gone"]);
  closed.answer.resolve(new Response(null, { status: 499 }));
  const cutOff = await late(time);
  cutOff.answer.resolve(new Response(null, { status: 499 }));
  assertEquals([(await cutOff.reader.read()).done, cutOff.said], [true, ["sent"]]);
});

Deno.test("a late answer that is a stream itself is passed on event by event", async () => {
  using time = new FakeTime();
  const { answer, said, reader } = await late(time);
  const events = ["event: message\ndata: {}\n\n", 'event: message\ndata: {"result":{}}\n\n'];
  const headers = { "content-type": "text/event-stream" };
  answer.resolve(
    new Response(ReadableStream.from(events.map((event) => new TextEncoder().encode(event))), { headers }),
  );
  assertEquals([(await reader.read()).value, (await reader.read()).value], events);
  assertEquals([(await reader.read()).done, said], [true, ["sent"]]);
});
