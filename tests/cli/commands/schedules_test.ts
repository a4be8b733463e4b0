import { declared, SCHEDULE, toText } from "../../../src/schedules/schedule.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../../tools/std.ts";
import { Shop } from "../support/shop.ts";

Deno.test("schedules lists the schedules, and pauses, resumes or removes one", async () => {
  await using shop = new Shop({ works: false });
  const declaration = { job: "add", owner: "ann", input: {}, times: { every: 3_600_000 }, catchUp: true };
  await shop.documents.write(`${SCHEDULE}hourly`, undefined, toText(declared(declaration, undefined, Date.now())));
  assertMatch((await shop.run("schedules")).stdout, /\nhourly +add +every 60m +\d.* ann\n$/);
  assertMatch((await shop.run("schedules --pause hourly")).stdout, /\nhourly +add +every 60m +paused +ann\n$/);
  assertMatch((await shop.run("schedules --resume hourly")).stdout, /\nhourly +add +every 60m +\d.* ann\n$/);
  const unknown = await shop.run("schedules --remove daily");
  assertEquals([unknown.code, unknown.stdout], [1, ""]);
  assertStringIncludes(unknown.stderr, 'There is no schedule "daily"');
  assertEquals((await shop.run("schedules --pause hourly --remove hourly")).code, 2);
  assertEquals((await shop.run("schedules --remove hourly")).stderr, "There are no schedules.\n");
});
