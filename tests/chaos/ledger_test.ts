import { Ledger } from "../../chaos/ledger.ts";
import { endOfError, endOfResult } from "../../chaos/reported_end.ts";
import { assertEquals } from "../../tools/std.ts";

const planned = { number: 7, ms: 10, fail: false };
const completed = endOfResult({ structuredContent: { number: 7, run: "a" }, content: [] });
const DIED = "The worker died 3 times while it ran this task, or lost it, so it is not tried again.";

function judge(ends: Parameters<Ledger["reported"]>[1][], kills = 0) {
  const ledger = new Ledger();
  ledger.sent("a", planned);
  for (const end of ends) ledger.reported("a", end);
  const { sent: _, examples: _examples, ...counts } = ledger.judge(() => kills);
  return Object.entries(counts).filter(([, count]) => count > 0);
}

Deno.test("a task that ended as planned is completed, and one of which nothing or something else was reported is lost", () => {
  assertEquals(judge([completed, completed]), [["completed", 1]]);
  assertEquals(judge([]), [["lost", 1]]);
  assertEquals(judge([endOfError(new Error("away"))]), [["lost", 1]]);
});

Deno.test("a task that was reported to have ended in two ways is doubled", () => {
  const again = endOfResult({ structuredContent: { number: 7, run: "b" }, content: [] });
  assertEquals(judge([completed, again]), [["completed", 1], ["doubled", 1]]);
});

Deno.test("a task that ended because its worker died three times is no loss only if three workers were killed while it ran", () => {
  const ends = [
    endOfResult({ isError: true, content: [{ type: "text", text: DIED }] }),
    endOfError(new Error(`MCP error -32603: ${DIED}`)),
  ];
  assertEquals(judge(ends, 3), [["died", 1]]);
  assertEquals(judge(ends, 2), [["lost", 1]]);
});
