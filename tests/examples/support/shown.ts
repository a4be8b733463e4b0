/**
 * What the examples of one report show.
 *
 * @module
 */
import { assert, assertEquals } from "../../../tools/std.ts";

const POLLED = `
PENDING
RUNNING   25 %  loading orders
RUNNING   60 %  adding up revenue
RUNNING   90 %  writing the report
COMPLETED
result    {"user_id":"42","revenue":42000,"items":17}
ok    states: PENDING, RUNNING, COMPLETED
ok    result: {"user_id":"42","revenue":42000,"items":17}`;

const NATIVE = `
working   25 %  loading orders
working   60 %  adding up revenue
working   90 %  writing the report
completed
result    {"user_id":"42","revenue":42000,"items":17}
resource  mcp://results/generate_report/<id>
ok    states: working, completed
ok    result: {"user_id":"42","revenue":42000,"items":17}
ok    resource: {"user_id":"42","revenue":42000,"items":17}`;

const SHOWN: { readonly [example: string]: string } = {
  baseline: POLLED,
  with_package: POLLED,
  approach3: NATIVE,
  http: NATIVE,
  approach3_notify: NATIVE,
};

/** On a busy machine a client may miss a step, and the runner says so. */
const isStep = (line: string) => / % /.test(line);

/** Checks what an example has written, if it is one of one report. */
export function assertShown(example: string, out: string): void {
  const expected = SHOWN[example]?.trim().split("\n") ?? [];
  const shown = out.replaceAll(/[0-9a-f-]{36}/g, "<id>").split("\n").filter((line) => expected.includes(line));
  assertEquals(shown, expected.filter((line) => !isStep(line) || shown.includes(line)));
  assert(expected.length === 0 || shown.filter(isStep).length >= 2, out);
}
