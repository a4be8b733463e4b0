import { HeldMessages, whileHeld } from "../../../src/mcp/messages/held.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const request = () => new Request("http://localhost/mcp");

Deno.test("one sender may hold as much as is left for all others", () => {
  const held = new HeldMessages(1_000_000);
  const ann = held.begin("ann", request());
  assertEquals(ann.grow(500_000), undefined);
  const refused = ann.grow(500_001);
  assertEquals([refused?.limit, refused?.retryAfter], ["heldBytes", 5_000]);
  const bob = held.begin("bob", request());
  assertEquals(bob.grow(250_001)?.limit, "heldBytes");
  assertEquals(bob.grow(250_000), undefined);
  ann.release();
  assertEquals(bob.grow(500_000), undefined);
});

Deno.test("small messages have a budget of their own: a sender without room for more calls can still poll, cancel and answer", () => {
  const held = new HeldMessages(100_000);
  const small = 16_384;
  const grow = (sender: string, bytes: number) => held.begin(sender, request()).grow(bytes)?.limit;
  assertEquals(grow("ann", 50_000), undefined);
  assertEquals([grow("ann", small + 1), grow("ann", small)], ["heldBytes", undefined]);
  // They take no room from the calls of others, and are limited by the same rule.
  assertEquals([grow("bob", 25_001), grow("bob", 25_000)], ["heldBytes", undefined]);
  assertEquals([grow("ann", small), grow("ann", small), grow("ann", 848)], [undefined, undefined, undefined]);
  assertEquals([grow("ann", 1), grow("bob", small)], ["heldBytes", undefined]);
});

Deno.test("a message that grows beyond a small one takes no room from small ones any more", () => {
  const held = new HeldMessages(60_000);
  const [first, second] = [held.begin("ann", request()), held.begin("ann", request())];
  assertEquals([first.grow(16_000), second.grow(14_000)], [undefined, undefined]);
  assertEquals(second.grow(14_001)?.limit, "heldBytes");
  assertEquals(first.grow(30_000), undefined);
  assertEquals(second.grow(16_000), undefined);
  assertEquals(held.begin("ann", request()).grow(20_000)?.limit, "heldBytes");
  first.release();
  assertEquals(held.begin("ann", request()).grow(20_000), undefined);
});

Deno.test("a message that is refused more room still takes what it took before", () => {
  const held = new HeldMessages(1_000_000);
  const first = held.begin("ann", request());
  assertEquals([first.grow(400_000), first.grow(500_001)?.limit], [undefined, "heldBytes"]);
  assertEquals(held.begin("ann", request()).grow(100_001)?.limit, "heldBytes");
  first.release();
  assertEquals(held.begin("ann", request()).grow(500_000), undefined);
});

Deno.test("a message is held while its request is worked on, in whichever order that and its response end, and also if it fails", async () => {
  const held = new HeldMessages(1_000_000);
  const isFull = () => held.begin("bob", request()).grow(500_000)?.limit === "heldBytes";
  for (const answeredFirst of [true, false]) {
    const call = request();
    const message = held.begin("ann", call);
    message.grow(500_000);
    const work = Promise.withResolvers<string>();
    const working = whileHeld(call, () => work.promise);
    const end = async () => {
      work.reject(new Error("It failed."));
      await assertRejects(() => working, Error, "It failed.");
    };
    if (answeredFirst) message.release();
    else await end();
    assertEquals(isFull(), true);
    if (answeredFirst) await end();
    else message.release();
    const bob = held.begin("bob", request());
    assertEquals(bob.grow(500_000), undefined);
    bob.release();
  }
});

Deno.test("a request whose work begins after its response is held again, and one without a message is just worked on", async () => {
  const held = new HeldMessages(1_000_000);
  const call = request();
  const message = held.begin("ann", call);
  message.grow(500_000);
  message.release();
  const work = Promise.withResolvers<void>();
  const working = whileHeld(call, () => work.promise);
  assertEquals(held.begin("bob", request()).grow(500_000)?.limit, "heldBytes");
  work.resolve();
  await working;
  assertEquals(held.begin("bob", request()).grow(500_000), undefined);
  assertEquals(await whileHeld(request(), () => Promise.resolve(1)), 1);
  assertEquals(await whileHeld(undefined, () => Promise.resolve(2)), 2);
});
