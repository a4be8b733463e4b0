import { OpenStreams } from "../../../../src/mcp/http/streams/open_streams.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";

Deno.test("a response is open until it is sent or has failed, and whoever counts it learns when none is open any more", async () => {
  let ends = 0;
  const parent = new OpenStreams();
  const open = new OpenStreams(parent, () => ends++);
  const sent: (() => void)[] = [];
  const answer = (end: () => void) => {
    sent.push(end);
    return Promise.resolve(new Response());
  };
  await open.track(answer);
  await open.track(answer);
  sent[0]?.();
  sent[0]?.();
  assertEquals([open.size, parent.size, ends], [1, 1, 0]);
  sent[1]?.();
  await assertRejects(() => open.track(() => Promise.reject(new Error("refused"))), Error, "refused");
  assertEquals([open.size, parent.size, ends], [0, 0, 2]);
});
