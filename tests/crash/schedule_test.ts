/**
 * What becomes of a schedule when its servers are killed, with real processes.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { DenoKvBackend } from "../../mod.ts";
import { lines } from "../../chaos/lines.ts";
import { assertEquals } from "../../tools/std.ts";
import { randomFrom } from "../../tools/random.ts";
import { until } from "../support/processes.ts";
import { pause } from "../../src/waiting.ts";
import { TempFolder } from "../support/temp_folder.ts";

const SCRIPT = fileURLToPath(new URL("scheduled_server.ts", import.meta.url));

const EVERY_MS = 250;
const SERVERS = 3;
const KILLS = 8;

class Server {
  readonly #child: Deno.ChildProcess;
  readonly #output: AsyncGenerator<string>;

  private constructor(path: string) {
    const args = ["run", "--quiet", "--no-check", "--allow-all", "--unstable-kv", SCRIPT, path, `${EVERY_MS}`];
    const pipes = { stdin: "piped", stdout: "piped", stderr: "null" } as const;
    this.#child = new Deno.Command(Deno.execPath(), { args, ...pipes }).spawn();
    this.#output = lines(this.#child.stdout);
  }

  /** Starts one, and waits until it serves. */
  static async start(path: string): Promise<Server> {
    const server = new Server(path);
    assertEquals((await server.#output.next()).value, "ready");
    return server;
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.stop();
  }

  async stop(): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // It was killed.
    for await (const _ of this.#output);
    await this.#child.status;
  }
}

Deno.test("each due time of a schedule has one task, however its three servers are killed", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const random = randomFrom(3);
  await using backend = await DenoKvBackend.open({ path });
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => Server.start(path)));
  const last = async () => (await backend.operator.schedules())[0]?.last?.dueAt ?? 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const [before, victim] = [await last(), kill % SERVERS];
    await until(async () => await last() > before, "another task is created");
    await pause(EVERY_MS * random()); // At any moment.
    await servers[victim]?.kill();
    servers[victim] = await Server.start(path);
  }
  await Promise.all(servers.map((server) => server.stop()));
  const { tasks } = await backend.list("ann", { limit: 1_000 });
  const end = await last();
  const named = await Promise.all(
    tasks.map((_, index) => backend.keys.readKey("ann", `schedule:tick:${end - index * EVERY_MS}`)),
  );
  assertEquals(named, tasks.map(({ id }) => id));
});
