/**
 * Real clients against the default server: each gets the result of a short job, of one that ends while the call waits, and
 * of one that takes three times as long as a call may wait; each job runs once, in at most four calls. That results and
 * handles pass is worth something because the clients check them: they refuse other data.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { testUnless } from "../support/test_unless.ts";
import { inspector, mcpc, noCommandLines } from "./support/command_lines.ts";
import { install, noPython, PYTHON_CLIENTS, PythonClients } from "./support/python.ts";
import { askForWork, type Session, type Target, withServer } from "./support/session.ts";
import { extTasks, sdk1, sdk2 } from "./support/typescript.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** How long the jobs take, in ms; the server answers within 1,000, the client waits 2,000. */
const JOBS = [50, 700, 3_000];

async function getAllResults(connect: (target: Target) => Promise<Session>, target: Target): Promise<void> {
  await using session = await connect(target);
  for (const [index, ms] of JOBS.entries()) {
    const begun = performance.now();
    const { worked, calls } = await askForWork(session, ms);
    // Every call but the last waits for a second. On a slow machine the job of 3 s takes longer.
    const most = Math.max(4, 1 + (performance.now() - begun) / 1_000);
    assertEquals(worked, ms);
    assertEquals(await target.begun(), index + 1);
    assert(calls <= most, `It took ${calls} calls.`);
  }
}

/** The data of the tool `wrong` fit neither the result nor the handle in its output schema. */
async function refuseOtherData(connect: (target: Target) => Promise<Session>, target: Target): Promise<void> {
  await using session = await connect(target);
  const { message } = await assertRejects(() => session.call("wrong", {}), Error);
  assertStringIncludes(message.toLowerCase(), "structured content");
}

/** A picture that fits comes as it is; of a picture or a text that is too large for an answer come what fits and how to read the rest. */
async function getLargeResults(connect: (target: Target) => Promise<Session>, target: Target): Promise<void> {
  await using session = await connect(target);
  const blocksOf = async (name: string, args: { readonly [name: string]: number }) => {
    const { blocks } = await session.call(name, args) as { readonly blocks: readonly (readonly [string, number])[] };
    return blocks;
  };
  assertEquals(await blocksOf("draw", { bytes: 30_000 }), [["image", 40_000]]);
  assertEquals((await blocksOf("draw", { bytes: 900_000 })).map(([type]) => type), ["text"]);
  const text = await blocksOf("write", { length: 2_000_000 });
  assertEquals(text.map(([type]) => type), ["text"]);
  assert(text.every(([, length]) => length < 100_000));
}

/** Python SDK 1 tells the server nothing when its limit has passed, and makes the call again. */
function giveUpSilently(clients: PythonClients, transport: "stdio" | "http"): Promise<void> {
  return withServer(transport, async (target) => {
    await using session = await clients.connect("mcp1", target, 5);
    const { worked } = await askForWork(session, 12_000);
    assertEquals([worked, await target.begun()], [12_000, 1]);
  }, 25_000);
}

for (const [name, connect] of Object.entries({ "SDK 1": (target: Target) => sdk1(target), "SDK 2": sdk2 })) {
  Deno.test(`${name} refuses data that are neither a result nor a handle`, () =>
    withServer("http", (target) => refuseOtherData(connect, target)));
}

for (const transport of ["stdio", "http"] as const) {
  for (
    const [name, connect] of Object.entries({
      "SDK 1": (target: Target) => sdk1(target),
      "SDK 2": sdk2,
      "SDK 2 with ext-tasks": extTasks,
    })
  ) {
    Deno.test(`${name} over ${transport} gets the result of every job, which runs once, in at most four calls`, () =>
      withServer(transport, (target) => getAllResults(connect, target)));
  }
}

Deno.test("a client whose time limit is shorter than any answer calls again until it has the result; the job runs once", () =>
  withServer("http", async (target) => {
    // A result that crosses the end of its call is lost, so the last calls have time.
    await using session = await sdk1(target, 400, 400, 60_000);
    const { worked, calls } = await askForWork(session, 3_000);
    assertEquals([worked, await target.begun()], [3_000, 1]);
    assert(calls > 2, `It took ${calls} calls.`);
  }));

for (const { packages, kinds } of PYTHON_CLIENTS) {
  testUnless(
    noPython,
    `${
      packages.join(" and ")
    } of PyPI: each gets the result of every job over stdio and HTTP, pictures and large ones too, and refuses other data`,
    async (t) => {
      await using folder = await TempFolder.make();
      await install(packages, folder.path);
      await using clients = new PythonClients(folder.path);
      for (const kind of kinds) {
        for (const transport of ["stdio", "http"] as const) {
          const connect = (target: Target) => clients.connect(kind, target);
          await t.step(`${kind} over ${transport}`, () =>
            withServer(transport, async (target) => {
              await getAllResults(connect, target);
              await refuseOtherData(connect, target);
              await getLargeResults(connect, target);
            }));
          if (kind !== "mcp1") continue;
          await t.step(`${kind} with a limit of 5 s over ${transport}`, () => giveUpSilently(clients, transport));
        }
      }
    },
  );
}

for (
  const [name, transport, connect] of [
    ["mcpc", "http", mcpc],
    ["mcpc", "stdio", mcpc],
    ["the Inspector in the legacy era", "http", inspector("legacy")],
    ["the Inspector in the modern era", "http", inspector("modern")],
  ] as const
) {
  testUnless(
    noCommandLines,
    `${name} over ${transport} gets the result of every job, which runs once, in at most four calls`,
    () => withServer(transport, (target) => getAllResults(connect, target)),
  );
}
