import {
  currentOffers,
  formatOffers,
  type Offer,
  parseOffers,
  withOffer,
  withoutOffer,
} from "../../../src/tasks/callers/offers.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assert, assertEquals } from "../../../tools/std.ts";

Deno.test("a list of offers reads as it was written, and one without offers is nothing", () => {
  const server = crypto.randomUUID();
  const offers: Offer[] = [
    { id: newTaskId() },
    { id: newTaskId(), server },
    { id: newTaskId(), until: 1_700_000_000_000 },
    { id: newTaskId(), server, until: 1 },
    { id: newTaskId(), givenUpAfter: 5_003 },
    { id: newTaskId(), until: 1_700_000_000_000, givenUpAfter: 0 },
  ];
  assertEquals(parseOffers(formatOffers(offers)), offers);
  assertEquals(formatOffers([]), undefined);
  assertEquals(parseOffers(undefined), []);
});

Deno.test("a task has one offer of each server, and one that all may take", () => {
  const offers = [{ id: "a" }, { id: "a", server: "one" }].reduce<readonly Offer[]>(withOffer, []);
  assertEquals(withOffer(offers, { id: "a", until: 5 }), [{ id: "a", until: 5 }, { id: "a", server: "one" }]);
  assertEquals(withoutOffer(offers, { id: "a" }), [{ id: "a", server: "one" }]);
  assertEquals(withoutOffer(offers, { id: "a", server: "two" }), offers);
});

Deno.test("an offer ends when its time is over", () => {
  assertEquals(currentOffers([{ id: "a", until: 5 }, { id: "b" }], 4).length, 2);
  assertEquals(currentOffers([{ id: "a", until: 5 }, { id: "b" }], 5), [{ id: "b" }]);
});

Deno.test("a list stays short enough for every store: the oldest offers are dropped", () => {
  const server = crypto.randomUUID();
  let offers: readonly Offer[] = [];
  for (let i = 0; i < 100; i++) offers = withOffer(offers, { id: newTaskId(), server, until: 1_700_000_000_000 });
  assert((formatOffers(offers) ?? "").length < 4_000);
  const newest = newTaskId();
  assertEquals(withOffer(offers, { id: newest })[0]?.id, newest);
});
