import { HeldMessages, whileHeld } from "../../../src/mcp/messages/held.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const request = () => new Request("http://localhost/mcp");

Deno.test("one caller may hold as much as is left for all others", () => {
  const held = new HeldMessages(1_000);
  const ann = held.begin("ann", request());
  assertEquals(ann.grow(500), undefined);
  const refused = ann.grow(501);
  assertEquals([refused?.limit, refused?.retryAfter], ["heldBytes", 5_000]);
  const bob = held.begin("bob", request());
  assertEquals(bob.grow(251)?.limit, "heldBytes");
  assertEquals(bob.grow(250), undefined);
  ann.release();
  assertEquals(bob.grow(500), undefined);
});

Deno.test("a message that is refused more room still takes what it took before", () => {
  const held = new HeldMessages(1_000);
  const first = held.begin("ann", request());
  assertEquals([first.grow(400), first.grow(600)?.limit], [undefined, "heldBytes"]);
  assertEquals(held.begin("ann", request()).grow(101)?.limit, "heldBytes");
  first.release();
  assertEquals(held.begin("ann", request()).grow(500), undefined);
});

Deno.test("a message is held while its request is worked on, in whichever order that and its response end, and also if it fails", async () => {
  const held = new HeldMessages(1_000);
  const isFull = () => held.begin("bob", request()).grow(500)?.limit === "heldBytes";
  for (const answeredFirst of [true, false]) {
    const call = request();
    const message = held.begin("ann", call);
    message.grow(500);
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
    assertEquals(held.begin("bob", request()).grow(500), undefined);
    held.add("bob", -500);
  }
});

Deno.test("a request whose work begins after its response is held again, and one without a message is just worked on", async () => {
  const held = new HeldMessages(1_000);
  const call = request();
  const message = held.begin("ann", call);
  message.grow(500);
  message.release();
  const work = Promise.withResolvers<void>();
  const working = whileHeld(call, () => work.promise);
  assertEquals(held.begin("bob", request()).grow(500)?.limit, "heldBytes");
  work.resolve();
  await working;
  assertEquals(held.fits("bob", 500), true);
  assertEquals(await whileHeld(request(), () => Promise.resolve(1)), 1);
  assertEquals(await whileHeld(undefined, () => Promise.resolve(2)), 2);
});
