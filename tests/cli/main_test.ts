import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../tools/std.ts";
import { add, endless, Shop, shout } from "./support/shop.ts";

Deno.test("only migrate makes or updates tables, and each command closes the backend that it has opened", async () => {
  await using shop = new Shop({ works: false });
  for (const command of ["tasks", "show nothing", "migrate"]) await shop.run(command);
  assertEquals([shop.opened, shop.closings], [[false, false, true], 3]);
});

Deno.test("an option that cannot be read is an error that names it, and the exit code is 2", async () => {
  await using shop = new Shop();
  const { code, stderr } = await shop.run("tasks --limit none");
  assertEquals(code, 2);
  assertMatch(stderr, /^mcp-jobs tasks: --limit needs a whole number/);
});

Deno.test("JSON has nothing that a terminal takes for a command", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(shout, {});
  await shop.client.wait(id).catch(() => {});
  for (const command of [`tasks`, `show ${id}`, `logs ${id}`, `watch ${id}`, `retry ${id}`]) {
    const { stdout } = await shop.run(`${command} --json`);
    assertEquals(stdout.replaceAll("\n", "").match(/[\p{Cc}\p{Cf}]/gu), null, command);
  }
  assertEquals(JSON.parse((await shop.run(`show ${id} --json`)).stdout).message, "The screen is \x9b2J empty.");
});

Deno.test("a command that is interrupted before it begins ends: a list says that it is not done", async () => {
  await using shop = new Shop();
  await shop.client.start(endless, {});
  const signal = AbortSignal.abort();
  assertEquals((await shop.run("watch", { signal })).code, 0);
  const { code, stdout, stderr } = await shop.run("tasks", { signal });
  assertEquals([code, stdout, stderr], [1, "", "mcp-jobs tasks: Interrupted before it was done.\n"]);
});

Deno.test("purge deletes nothing without --status and --before", async () => {
  await using shop = new Shop();
  const { code, stderr } = await shop.run("purge --status COMPLETED");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "needs --status and --before");
  const task = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(task);
  assertEquals((await shop.run("purge --status completed --before 2100-01-01")).stdout, "1 deleted\n");
});

Deno.test("arguments that are not understood are explained on stderr, and the exit code is 2", async () => {
  await using shop = new Shop({ works: false });
  for (
    const args of [
      "",
      "nothing",
      "tasks --nothing",
      "show",
      "tasks extra",
      "tasks --limit many",
      "cancel",
      "tasks --since 2h --until 3h",
    ]
  ) {
    const { code, stdout, stderr } = await shop.run(args);
    assertEquals([code, stdout], [2, ""], args);
    assertStringIncludes(stderr, "--help");
  }
});

Deno.test("an option has one text, which is no other option, and a flag has none: else nothing is changed", async () => {
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  for (
    const [options, why] of [
      ["--yes --job add --message", "--message needs TEXT."],
      ["--yes --job add --message=", "--message needs TEXT."],
      ["--yes --job add --owner --json", "--owner needs OWNER."],
      ["--yes --job refuse --job add", "--job was passed more than once."],
      ["--job add --yes=no", '--yes takes no text such as "no": pass it alone, or leave it out.'],
      ["--job add --yes=", '--yes takes no text such as "": pass it alone, or leave it out.'],
      ["--job add --yes --json=banana", '--json takes no text such as "banana": pass it alone, or leave it out.'],
      ["--job add --yes=false", "1 task matches. Pass --yes to go on."],
    ] as const
  ) {
    const { code, stderr } = await shop.run(`cancel ${options}`);
    assertEquals([code, stderr.split("\n")[0]], [2, `mcp-jobs cancel: ${why}`]);
  }
  assertEquals((await shop.client.get(id)).status, "PENDING");
  assertEquals((await shop.run("tasks --json --json --owner=ann --job=add")).code, 0);
});

Deno.test("every command writes its help to stdout, and the exit code is 0", async () => {
  await using shop = new Shop({ works: false });
  const { stdout } = await shop.run("--help");
  const names = [...stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name = ""]) => name);
  assert(names.length >= 13);
  for (const name of names) {
    const { code, stdout, stderr } = await shop.run(`${name} --help`);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, `Usage: mcp-jobs ${name}`);
    for (const args of [`help ${name}`, `${name} -h`]) assertEquals(await shop.run(args), { code, stdout, stderr });
  }
});
