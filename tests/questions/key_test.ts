import { QuestionKeys } from "../../src/questions/key.ts";
import { assertEquals } from "../../tools/std.ts";

const schema = { type: "object", properties: { sure: { type: "boolean" } } };

Deno.test("a question has the same key on each attempt, whatever is asked before it", () => {
  const first = new QuestionKeys();
  const key = first.next({ message: "Sure?", schema });
  // Keys are stored with tasks, so a new version must derive the same ones.
  assertEquals(key, "question-9e2c21430050");
  const next = new QuestionKeys();
  next.next({ message: "Really?", schema });
  assertEquals(next.next({ message: "Sure?", schema }), key);
});

Deno.test("another message, another schema or a repetition make another key", () => {
  const keys = new QuestionKeys();
  const key = keys.next({ message: "Sure?", schema });
  const others = [
    keys.next({ message: "Sure? ", schema }),
    keys.next({ message: "Sure?", schema: { type: "object" } }),
    keys.next({ message: "Sure?", schema }),
  ];
  assertEquals(new Set([key, ...others]).size, 4);
  assertEquals(others.at(-1), `${key}-2`);
});
