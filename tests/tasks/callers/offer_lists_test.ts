import type { KeyStore } from "../../../backend.ts";
import { MemoryBackend } from "../../../mod.ts";
import { identityOfList, listOfIdentity, OfferLists } from "../../../src/tasks/callers/offer_lists.ts";
import { withOffer, withoutOffer } from "../../../src/tasks/callers/offers.ts";
import { turn } from "../../../src/waiting.ts";
import { assertEquals } from "../../../tools/std.ts";

const LIST = listOfIdentity("report", "1", "me");

/** Lists in a store whose writes each take a turn of the event loop, and are counted. */
class SlowLists extends OfferLists {
  writes = 0;

  constructor({ readKey, writeKey }: KeyStore = new MemoryBackend().keys) {
    const slow: KeyStore["writeKey"] = async (...change) => {
      this.writes++;
      await turn();
      return await writeKey(...change);
    };
    super({ readKey, writeKey: slow }, () => 0);
  }

  async ids(): Promise<readonly string[]> {
    return (await this.read(LIST)).map(({ id }) => id);
  }
}

Deno.test("changes of a list at the same moment are all kept, and written together", async () => {
  const lists = new SlowLists();
  await Promise.all(["a", "b", "c"].map((id) => lists.change(LIST, (offers) => withOffer(offers, { id }))));
  assertEquals([await lists.ids(), lists.writes], [["c", "b", "a"], 1]);
});

Deno.test("a list is read with the changes that are being written, and does not seem empty meanwhile", async () => {
  const lists = new SlowLists();
  assertEquals(lists.seemsEmpty(LIST), true);
  const first = lists.change(LIST, (offers) => withOffer(offers, { id: "a" }));
  assertEquals(lists.seemsEmpty(LIST), false);
  assertEquals(await lists.ids(), ["a"]);
  await first;
  const last = lists.change(LIST, (offers) => withoutOffer(offers, { id: "a" }));
  assertEquals(await lists.ids(), []);
  await last;
  assertEquals(lists.seemsEmpty(LIST), true);
});

Deno.test("a change that comes while another one is being written is made after it, also if that one fails", async () => {
  const keys = new MemoryBackend().keys;
  let fails = true;
  const failing: KeyStore["writeKey"] = (...change) => {
    if (!fails) return keys.writeKey(...change);
    fails = false;
    return Promise.reject(new Error("The store is away."));
  };
  const lists = new SlowLists({ ...keys, writeKey: failing });
  const first = lists.change(LIST, (offers) => withOffer(offers, { id: "a" })).catch(({ message }) => message);
  while (lists.writes === 0) await turn();
  await lists.change(LIST, (offers) => withOffer(offers, { id: "b" }));
  assertEquals([await first, await lists.ids()], ["The store is away.", ["b"]]);
});

Deno.test("the name of a list says what its calls have in common, whatever the name of their job is", () => {
  assertEquals(identityOfList(listOfIdentity("report:daily", "1f", "me")), "1f");
});
