import type { CompletedTask, Outcome, ResultValue } from "../../../backend.ts";
import { newTaskId } from "../../../src/ids.ts";
import { endedAnswer } from "../../../src/exposure/answers/token_answer.ts";
import { callResult } from "../../../src/exposure/answers/call_result.ts";
import { readableBytes } from "../../../src/exposure/answers/pages.ts";
import type { Tasks } from "../../../strategy.ts";
import { assert } from "../../../tools/std.ts";

const JOB = "j".repeat(100);

/** The characters that take the most room in JSON, within JSON and alone. */
const SAMPLES = ["x", '"', "\\", "\u0001", "é", "😀"];

function taskOf(): CompletedTask {
  const [id, at] = [newTaskId(), Date.now()];
  const times = { createdAt: at, updatedAt: at, finishedAt: at, resultTtl: 60_000, revision: 1, attempt: 1 };
  return { id, job: JOB, owner: "me", status: "COMPLETED", ...times };
}

/** Results whose parts fill an answer of `inlineBytes` in different ways. */
function* results(inlineBytes: number): Generator<ResultValue> {
  for (const sample of SAMPLES) {
    for (const length of [400, 1_300, 3_900, 7_700, 20_000]) {
      const text = sample.repeat(length / sample.length);
      yield { value: text };
      yield { value: { text } };
      yield { value: null, content: [{ type: "text", text }] };
      const image = { type: "image", mimeType: "image/png", data: "A".repeat(1_600) } as const;
      yield { value: { text }, content: [image, { type: "text", text }, image] };
      const file = {
        type: "file",
        mimeType: "application/pdf",
        data: "A".repeat(20_000),
        name: sample.repeat(200 / sample.length),
      } as const;
      yield { value: { text }, content: [{ type: "text", text }, file] };
      yield { value: { text: "" }, content: [{ type: "text", text }, file, file, file] };
      yield { value: null, content: Array.from({ length: 30 }, () => ({ type: "text", text: text.slice(0, 400) })) };
    }
    const readable = readableBytes(inlineBytes);
    for (const share of [0.5, 0.75, 0.85, 0.9, 0.95, 0.97]) {
      const units = share * readable / (JSON.stringify(sample).length - 2);
      const texts = [sample.repeat(units), sample.repeat(readable)];
      const content = texts.map((text) => ({ type: "text", text }) as const);
      for (const value of [null, { a: 1 }]) yield { value, content };
    }
  }
}

function assertFits(value: unknown, most: number): void {
  const json = JSON.stringify(value);
  const { length } = new TextEncoder().encode(json);
  assert(length <= most, `${length} bytes instead of ${most}: ${json.slice(0, 300)}`);
}

Deno.test("no answer with a result, nor what a model reads of it, is larger than inlineBytes says, whatever the result", async () => {
  const task = taskOf();
  for (const inlineBytes of [8_000, 20_000, 100_000]) {
    for (const result of results(inlineBytes)) {
      const outcome: Outcome = { kind: "value", ...result };
      const tasks = { outcome: () => Promise.resolve(outcome) } as unknown as Tasks;
      const form = { inlineBytes, pageCall: `${JOB}_result` };
      const answers = [
        await endedAnswer(task, tasks, form),
        ...[true, false].map((typed) => callResult(task, outcome, { ...form, typed })),
      ];
      for (const answer of answers) {
        const texts = answer.content.filter(({ type }) => type === "text");
        assertFits(answer, inlineBytes);
        for (const read of [texts, answer.structuredContent ?? null]) assertFits(read, readableBytes(inlineBytes));
        assert(!JSON.stringify(answer).includes("lacks ."), "It has to say what is missing.");
      }
    }
  }
});
