import { assertEquals } from "../tools/std.ts";

const EVENT = { at: "2026-11-22T12:00:00.000Z", event: "created", principal: "ann", operation: "create" } as const;

/** A process that writes an event once it is told to begin, and then says that it went on. */
function spawn(): Deno.ChildProcess {
  const audit = JSON.stringify(import.meta.resolve("../src/audit.ts"));
  const code = `
    import { auditToStderr } from ${audit};
    await Deno.stdin.read(new Uint8Array(1));
    auditToStderr(${JSON.stringify(EVENT)});
    await Deno.stdout.write(new TextEncoder().encode("went on"));
  `;
  const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", code], ...pipes }).spawn();
}

async function begin({ stdin }: Deno.ChildProcess): Promise<void> {
  const writer = stdin.getWriter();
  await writer.write(new Uint8Array(1));
  await writer.close();
}

Deno.test("an event of the audit log is one line of JSON on stderr", async () => {
  const process = spawn();
  await begin(process);
  const [said, logged] = await Promise.all([process.stdout.text(), process.stderr.text(), process.status]);
  assertEquals([said, logged], ["went on", `${JSON.stringify(EVENT)}\n`]);
});

Deno.test("an audit log that nobody reads any more fails no call", async () => {
  const process = spawn();
  await process.stderr.cancel();
  await begin(process);
  const [said, { code }] = await Promise.all([process.stdout.text(), process.status]);
  assertEquals([said, code], ["went on", 0]);
});
