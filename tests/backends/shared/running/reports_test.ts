import type { NewLogLine, ProgressReport } from "../../../../src/backend.ts";
import { Reports } from "../../../../src/backends/shared/running/reports.ts";
import { BackendError, InvalidValue } from "../../../../src/errors.ts";
import { messageOf } from "../../../../src/text.ts";
import type { NewLines } from "../../../../src/task_log/newest_lines.ts";
import { pause } from "../../../../src/waiting.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";

const line = (text: string): NewLogLine => ({ at: 1, level: "info", text });

/** Takes reports for a store whose writes end when the test says so. */
function slowStore() {
  const writes: { readonly report: ProgressReport; readonly texts: readonly string[]; readonly skipped: number }[] = [];
  const ends: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const reports = new Reports((report, { lines, skipped }: NewLines) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    ends.push({ resolve, reject });
    writes.push({ report, texts: lines.map(({ text }) => text), skipped });
    return promise;
  }, () => {});
  return { reports, writes, ends };
}

Deno.test("a report and a line of the same tick are one write; what comes during it is the next one", async () => {
  const { reports, writes, ends } = slowStore();
  void reports.report({ message: "a" });
  const stored = reports.log(line("a"));
  await undefined;
  await undefined;
  for (const text of ["b", "c"]) void reports.log(line(text));
  void reports.report({ progress: 0.5 });
  ends[0]?.resolve();
  await pause(0);
  ends[1]?.resolve();
  await stored;
  assertEquals(writes, [
    { report: { progress: undefined, message: "a" }, texts: ["a"], skipped: 0 },
    { report: { progress: 0.5, message: undefined }, texts: ["b", "c"], skipped: 0 },
  ]);
  assertEquals(reports.flush(), undefined);
});

Deno.test("reports that are stored together keep the newest progress and the newest message", async () => {
  const { reports, writes, ends } = slowStore();
  void reports.report({ progress: 0.1, message: "a" });
  void reports.report({ message: "b" });
  void reports.report({ progress: 0.2 });
  const stored = reports.report({});
  await pause(0);
  ends[0]?.resolve();
  await stored;
  assertEquals(writes.map(({ report }) => report), [{ progress: 0.2, message: "b" }]);
});

Deno.test("`flush` waits for lines that are being stored", async () => {
  const { reports, ends } = slowStore();
  void reports.log(line("a"));
  await pause(0);
  const order: string[] = [];
  const flushed = Promise.resolve(reports.flush()).then(() => order.push("flushed"));
  await pause(0);
  order.push("stored");
  ends[0]?.resolve();
  await flushed;
  assertEquals(order, ["stored", "flushed"]);
});

Deno.test("a report waits for its own write, and not for those of later reports, which may come without end", async () => {
  const { reports, ends } = slowStore();
  const first = reports.report({ message: "a" });
  await undefined;
  await undefined;
  const second = reports.log(line("b"));
  ends[0]?.resolve();
  await first;
  const third = reports.report({ message: "c" });
  ends[1]?.resolve();
  await second;
  ends[2]?.resolve();
  await third;
  assertEquals(ends.length, 3);
});

Deno.test("while the store is slow, no more lines wait than a task keeps", async () => {
  const { reports, writes, ends } = slowStore();
  void reports.log(line("first"));
  await pause(0);
  for (let number = 1; number <= 5_000; number++) void reports.log(line(`${number}`));
  const flushed = reports.flush();
  ends[0]?.resolve();
  await pause(0);
  ends[1]?.resolve();
  await flushed;
  assertEquals(writes.map(({ texts, skipped }) => [texts.length, texts.at(-1), skipped]), [
    [1, "first", 0],
    [200, "5000", 4_800],
  ]);
});

Deno.test("lines that could not be stored are stored before the next ones, and `flush` rejects until then", async () => {
  const stored: string[][] = [];
  let away = true;
  const reports = new Reports((_, { lines }) => {
    if (away) return Promise.reject(new BackendError("The store is away."));
    return Promise.resolve(void stored.push(lines.map(({ text }) => text)));
  }, () => {});
  await reports.log(line("a"));
  await assertRejects(async () => await reports.flush(), BackendError);
  away = false;
  await reports.log(line("b"));
  assertEquals([stored, reports.flush()], [[["a", "b"]], undefined]);
});

Deno.test("lines that were dropped while the store was away are counted once it is back", async () => {
  const stored: (readonly [lines: number, skipped: number])[] = [];
  let away = true;
  const reports = new Reports((_, { lines, skipped }) => {
    if (away) return Promise.reject(new BackendError("The store is away."));
    return Promise.resolve(void stored.push([lines.length, skipped]));
  }, () => {});
  for (let number = 1; number <= 250; number++) void reports.log(line(`${number}`));
  await reports.log(line("251"));
  away = false;
  await reports.log(line("252"));
  assertEquals(stored, [[200, 52]]);
});

Deno.test("lines that can never be stored are left out, so that the task can end", async () => {
  const errors: unknown[] = [];
  let away = true;
  const store = () => Promise.reject(away ? new BackendError("The store is away.") : new InvalidValue("Too large."));
  const reports = new Reports(store, (error) => errors.push(error));
  await reports.log(line("a"));
  away = false;
  await reports.flush();
  await reports.log(line("b"));
  assertEquals([errors.map(messageOf), reports.flush()], [
    ["The store is away.", "Too large.", "Too large."],
    undefined,
  ]);
});
