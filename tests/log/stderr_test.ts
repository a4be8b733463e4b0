import { LineWriter, type Sink, writeLine, writeThrough } from "../../src/log/stderr.ts";
import { pause } from "../../src/waiting.ts";
import { assertEquals } from "../../tools/std.ts";

/** Collects what is written; asynchronous writes are read only when the test says so. */
class Pipe implements Sink {
  written = "";
  pending: PromiseWithResolvers<void> | undefined;

  writeSync(bytes: Uint8Array): number {
    const some = bytes.subarray(0, 1_000); // Part of it, as a pipe may.
    this.written += new TextDecoder().decode(some);
    return some.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.pending = Promise.withResolvers();
    await this.pending.promise;
    this.written += new TextDecoder().decode(bytes);
    return bytes.length;
  }

  /** Reads everything that was written. */
  async read(): Promise<string> {
    while (this.pending) {
      this.pending.resolve();
      this.pending = undefined;
      for (let turn = 0; turn < 10; turn++) await undefined;
    }
    return this.written;
  }
}

Deno.test("lines are written synchronously, up to what a pipe that nobody reads can hold", async () => {
  const pipe = new Pipe();
  const lines = new LineWriter(pipe);
  const [first, second, third] = ["a".repeat(4_000), "b".repeat(13_000), "c"];
  lines.write(first);
  assertEquals(pipe.written, `${first}\n`);
  lines.write(second);
  lines.write(third);
  assertEquals(pipe.written, `${first}\n`);
  assertEquals(await pipe.read(), `${first}\n${second}\n${third}\n`);
  lines.write("d");
  assertEquals((await pipe.read()).endsWith("\nc\nd\n"), true);
});

Deno.test("a limited number of lines waits for a reader, and a line says how many were left out", async () => {
  const pipe = new Pipe();
  const lines = new LineWriter(pipe);
  lines.write("x".repeat(20_000));
  for (let number = 1; number <= 1_500; number++) lines.write(`line ${number}`);
  const [, ...texts] = (await pipe.read()).trimEnd().split("\n");
  assertEquals([texts.length, texts.at(-2), texts.at(-1)], [
    1_001,
    "line 1000",
    "mcp-jobs: 500 lines were left out here, because nobody read stderr",
  ]);
  lines.write("later");
  assertEquals((await pipe.read()).endsWith("stderr\nlater\n"), true);
});

Deno.test("writing to a closed stderr does not fail", async () => {
  const closed: Sink = {
    writeSync: () => {
      throw new Deno.errors.BrokenPipe();
    },
    write: () => Promise.reject(new Deno.errors.BrokenPipe()),
  };
  const lines = new LineWriter(closed);
  lines.write("now");
  lines.write("x".repeat(20_000));
  await pause(0);
});

Deno.test("while another writer is open, every line goes through it, and later ones to stderr again", () => {
  const lines: string[] = [];
  const { writeSync } = Deno.stderr;
  Deno.stderr.writeSync = (bytes) => {
    lines.push(`stderr: ${new TextDecoder().decode(bytes).trimEnd()}`);
    return bytes.length;
  };
  try {
    const end = writeThrough({ write: (line) => lines.push(`one: ${line}`) });
    writeLine("a");
    const endOther = writeThrough({ write: (line) => lines.push(`other: ${line}`) });
    end(); // The other one goes on.
    writeLine("b");
    endOther();
    writeLine("c");
  } finally {
    Deno.stderr.writeSync = writeSync;
  }
  assertEquals(lines, ["one: a", "other: b", "stderr: c"]);
});
