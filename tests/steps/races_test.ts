/**
 * What decides if a job waits for several things at once: an answer, a sleep or a step.
 *
 * @module
 */
import { z } from "zod";
import { assertEquals } from "../../tools/std.ts";
import type { Answer, RecordedStep } from "../../backend.ts";
import { defineJob, type Job, TaskCancelled, TaskParked } from "../../mod.ts";
import { QuestionKeys } from "../../src/questions/key.ts";
import { recordOf, Scope } from "../../src/steps/recorded_steps.ts";
import { type Schema, toJsonSchema } from "../../src/schema/schema.ts";
import { pause } from "../../src/waiting.ts";
import { claimOf, runnerOf } from "../support/attempts.ts";

const input = { type: "object" } as const;

for (const waitsFor of ["race", "all"] as const) {
  const title = waitsFor === "race"
    ? "a long sleep beside a question that an earlier run has asked does not park the task before its answer is there"
    : "a task whose question is answered is parked for the sleep that it still waits for";
  Deno.test(title, async () => {
    const patient = defineJob({
      name: "patient",
      input,
      parkAfter: 0,
      run: async (_, { elicit, sleep }) => {
        const waits = [
          elicit({ message: "Which?", schema: z.object({}) }).then(() => "answered"),
          sleep("patience", 3_600_000).then(() => "nobody answered"),
        ];
        return waitsFor === "race" ? await Promise.race(waits) : await Promise.all(waits);
      },
    });
    const run = await runnerOf(patient);
    const [parks, controller] = [[] as unknown[], new AbortController()];
    // The store tells late that there is an answer: by then the end of the sleep is recorded.
    const { promise: recorded, resolve } = Promise.withResolvers<void>();
    const answer = recorded.then(() => pause(20)).then((): Answer => {
      return { action: "accept", content: {} };
    });
    const attempt = await run({
      ...claimOf(patient),
      signal: controller.signal,
      ask: () => answer,
      stored: async () => void await answer,
      record: () => Promise.resolve(resolve()),
      park: (until) => {
        parks.push(until);
        controller.abort(new TaskParked());
        return Promise.resolve();
      },
    });
    assertEquals(parks, waitsFor === "race" ? [] : [3_600_000]);
    if (waitsFor === "race") assertEquals(attempt, { kind: "value", value: "answered" });
  });
}

Deno.test("a question does not park a task whose sleep turns out to be over", async () => {
  const patient = defineJob({
    name: "patient",
    input,
    parkAfter: 0,
    run: async (_, { elicit, sleep }) => {
      return await Promise.race([
        elicit({ message: "Which?", schema: z.object({}) }),
        sleep("patience", 3_600_000).then(() => "nobody answered"),
      ]);
    },
  });
  const run = await runnerOf(patient);
  const recorded: RecordedStep[] = [];
  const parks: unknown[] = [];
  const attempt = async (now: number) => {
    const controller = new AbortController();
    return await run({
      ...claimOf(patient),
      signal: controller.signal,
      now: () => now,
      ask: () => new Promise(() => {}),
      stored: () => Promise.resolve(),
      mayHaveSteps: recorded.length > 0,
      // The store is slower than the wait of a question that is parked at once.
      steps: () => pause(20).then(() => [...recorded]),
      record: (step) => Promise.resolve(void recorded.push(step)),
      park: (until) => {
        parks.push(until);
        controller.abort(new TaskParked());
        return Promise.resolve();
      },
    });
  };
  await attempt(0);
  assertEquals(parks, [3_600_000]);
  assertEquals(await attempt(3_600_000), { kind: "value", value: "nobody answered" });
  assertEquals(parks, [3_600_000]);
});

for (const first of ["question", "sleep"]) {
  Deno.test(`an answer decides a race with a sleep that is over now, where the code calls the ${first} first`, async () => {
    // Loading the validator of this schema may take longer than all else.
    const question = { message: "Which?", schema: { type: "object", properties: {} } };
    const patient = defineJob({
      name: "patient",
      input,
      run: async (_, { elicit, sleep }) => {
        const asks = () => elicit(question).then(() => "answered");
        const sleeps = () => sleep("patience", 1_000).then(() => "nobody answered");
        const waits = (first === "question" ? [asks, sleeps] : [sleeps, asks]).map((wait) => wait());
        const winner = await Promise.race(waits);
        await Promise.all(waits);
        return winner;
      },
    });
    const run = await runnerOf(patient);
    const { scope, name, place } = { scope: new Scope(), name: "patience", place: 0 };
    const attempt = await run({
      ...claimOf(patient),
      now: () => 2_000,
      answers: { [new QuestionKeys().next(question)]: { action: "accept", content: {} } },
      mayHaveSteps: true,
      steps: () => Promise.resolve([recordOf({ scope, name, place, unordered: true }, "1000", 0, 0)]),
    });
    assertEquals(attempt, { kind: "value", value: "answered" });
  });
}

for (const several of [false, true]) {
  const name = several ? "an answer to several questions" : "an answer";
  Deno.test(`${name} that takes a while to validate decides a race with a sleep that is over now`, async () => {
    // As that of the first schema whose check loads a library.
    const schema = z.object({}).refine(() => pause(20).then(() => true));
    const question = { message: "Which?", schema };
    const patient = defineJob({
      name: "patient",
      input: z.object({}),
      run: async (_, { elicit, progress, sleep }) => {
        const asks = (several ? elicit.all([question]) : elicit(question)).then(() => "answered");
        const sleeping = several ? sleep("patience", 1_000) : progress(0.5).then(() => sleep("patience", 1_000));
        const sleeps = sleeping.then(() => "nobody answered");
        const winner = await Promise.race([asks, sleeps]);
        await Promise.all([asks, sleeps]);
        return winner;
      },
    });
    const run = await runnerOf(patient);
    assertEquals(await run(afterSleep(patient, question)), { kind: "value", value: "answered" });
  });
}

Deno.test("a sleep that is over now ends with the task, even while an answer beside it is validated", async () => {
  const [begun, validated] = [Promise.withResolvers<void>(), Promise.withResolvers<boolean>()];
  const schema = z.object({}).refine(() => {
    begun.resolve();
    return validated.promise;
  });
  const question = { message: "Which?", schema };
  const patient = defineJob({
    name: "patient",
    input: z.object({}),
    run: async (_, { elicit, sleep }) => {
      void elicit(question);
      await sleep("patience", 1_000);
    },
  });
  const run = await runnerOf(patient);
  const controller = new AbortController();
  const running = run({ ...afterSleep(patient, question), signal: controller.signal });
  await begun.promise;
  controller.abort(new TaskCancelled());
  assertEquals((await running).kind, "error");
  validated.resolve(true);
});

/** The claim of a task that has slept, beside a question that was answered. */
function afterSleep(job: Job, { message, schema }: { message: string; schema: Schema }) {
  const key = new QuestionKeys().next({ message, schema: toJsonSchema(schema, "input", "a question") });
  const sleep = { scope: new Scope(), name: "patience", place: 0, unordered: true as const };
  return {
    ...claimOf(job),
    now: () => 2_000,
    answers: { [key]: { action: "accept", content: {} } as const },
    mayHaveSteps: true,
    steps: () => Promise.resolve([recordOf(sleep, "1000", 0, 0)]),
  };
}

for (const first of ["question", "step"]) {
  Deno.test(`a recorded step decides a race with an answer that is there, where the code calls the ${first} first`, async () => {
    const question = { message: "Which?", schema: { type: "object" } };
    const hasty = defineJob({
      name: "hasty",
      input,
      run: async (_, { elicit, step, sleep }) => {
        const order: string[] = [];
        const asks = () => elicit(question).then(() => order.push("answer"));
        const steps = async () => {
          for (const name of ["one", "two"]) order.push(await step(name, () => `${name} again`));
        };
        const calls = first === "question" ? [asks, steps] : [steps, asks];
        await Promise.all(calls.map((call) => call()));
        await sleep("none", 0);
        await Promise.all([elicit(question).then(() => order.push("answer")), steps()]);
        return order;
      },
    });
    const run = await runnerOf(hasty);
    const keys = new QuestionKeys();
    const answer: Answer = { action: "accept", content: {} };
    const recorded = ["one", "two", "none", "one#2", "two#2"].map((name, place) => {
      const call = { scope: new Scope(), name, place, unordered: true as const };
      return recordOf(call, name === "none" ? "0" : JSON.stringify(name), place, 0);
    });
    const attempt = await run({
      ...claimOf(hasty),
      answers: { [keys.next(question)]: answer, [keys.next(question)]: answer },
      mayHaveSteps: true,
      // The answers come with the claim, but the store has to be asked for the steps.
      steps: () => pause(20).then(() => recorded),
    });
    assertEquals(attempt, { kind: "value", value: ["one", "two", "answer", "one#2", "two#2", "answer"] });
  });
}
