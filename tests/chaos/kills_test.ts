import { Milestones } from "../../chaos/kills/milestones.ts";
import { planKills } from "../../chaos/kills/plan.ts";
import { randomFrom } from "../../tools/random.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test("a short chaos run kills each kind of process three times, spread over its tasks", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const kills = planKills(300, ["worker", "server", "database"], randomFrom(seed));
    for (const [victim, own] of Map.groupBy(kills, ({ victim }) => victim)) {
      const thirds = own.map(({ after }) => Math.floor(after / 100));
      assertEquals([victim, ...thirds], [victim, 0, 1, 2]);
    }
  }
});

Deno.test("a long chaos run kills more often, and the same at the same moments for the same seed", () => {
  const plan = () => planKills(3_000, ["worker", "database"], randomFrom(7));
  const count = Object.fromEntries(
    [...Map.groupBy(plan(), ({ victim }) => victim)].map(([victim, { length }]) => [victim, length]),
  );
  assertEquals(count, { worker: 20, database: 6 });
  assertEquals(plan(), plan());
});

Deno.test("a milestone is reached once the count is above it, also if it was so before", async () => {
  const milestones = new Milestones();
  const reached: number[] = [];
  const awaited = [0, 1].map((count) => milestones.above(count).then(() => reached.push(count)));
  milestones.add();
  await awaited[0];
  await milestones.above(0);
  assertEquals(reached, [0]);
  milestones.add();
  await awaited[1];
  assertEquals(reached, [0, 1]);
});
