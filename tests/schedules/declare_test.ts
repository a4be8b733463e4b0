import { defineJob } from "../../src/job.ts";
import { declare } from "../../src/schedules/declare.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test("a schedule that only says when and for whom is in UTC, makes up for a downtime, and has no input and the job's name", () => {
  const job = defineJob({ name: "report", input: { type: "object" } });
  const { name, declaration } = declare(job, { cron: "0 3 * * *", owner: "ann" });
  const times = { cron: "0 3 * * *", timeZone: "UTC" };
  assertEquals([name, declaration], ["report", { job: "report", owner: "ann", input: {}, times, catchUp: true }]);
});
