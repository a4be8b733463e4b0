/**
 * A PostgreSQL for tests: a server of their own on a free port, in a folder that is deleted with it, or the one that
 * POSTGRES_URL names, whose user may make databases.
 *
 * @module
 */
import pg from "pg";
import { freePort } from "./redis_server.ts";

/** Where Debian, Homebrew and others keep the server's programs, beside the PATH. */
const PLACES = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

const bin = await findBin();

/** Whether a server can be started here. */
export const hasPostgresServer: boolean = bin !== undefined;

/** Why the tests on PostgreSQL are left out, or `undefined` if they can run. */
export const noPostgres: string | undefined = bin !== undefined || Deno.env.has("POSTGRES_URL")
  ? undefined
  : "install PostgreSQL 13 or later, or set POSTGRES_URL";

async function findBin(): Promise<string | undefined> {
  const folders: string[] = [];
  for (const place of PLACES) {
    try {
      for await (const { name } of Deno.readDir(place)) folders.push(`${place}/${name}/bin`);
    } catch {
      // It is not kept there.
    }
  }
  for (const folder of [...folders.sort().reverse(), ...(Deno.env.get("PATH") ?? "").split(":")]) {
    if (await Deno.stat(`${folder}/initdb`).then(() => true, () => false)) return folder;
  }
}

/** A running server. */
export class PostgresServer implements AsyncDisposable {
  readonly #folder: string | undefined;
  readonly #url: string;
  #child: Deno.ChildProcess | undefined;

  private constructor(url: string, folder?: string) {
    this.#url = url;
    this.#folder = folder;
  }

  /** Starts one, or takes the one that POSTGRES_URL names. */
  static async start(): Promise<PostgresServer> {
    const url = Deno.env.get("POSTGRES_URL");
    return url === undefined ? await PostgresServer.startOwn() : new PostgresServer(url);
  }

  /** Starts one, which may be killed. */
  static async startOwn(): Promise<PostgresServer> {
    if (!hasPostgresServer) throw new Error("Cannot start a PostgreSQL: its programs are not here. Install it.");
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-postgres-" });
    // PostgreSQL does not run as root.
    if (Deno.uid() === 0) await run("chown", "postgres", folder);
    await run(...asPostgres("initdb", "-D", `${folder}/data`, "-A", "trust", "-U", "postgres", "--no-sync"));
    const server = new PostgresServer(`postgres://postgres@127.0.0.1:${freePort()}/postgres`, folder);
    await server.start();
    return server;
  }

  /** Starts it again after `kill`, and waits until it answers. */
  async start(): Promise<void> {
    const { port } = new URL(this.#url);
    const place = ["-D", `${this.#folder}/data`, "-p", port, "-k", `${this.#folder}`];
    // Without -F it would wait for the disk; what it has written outlives it all the same.
    const options = ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-F"];
    const [program, ...args] = asPostgres("postgres", ...place, ...options);
    const child = new Deno.Command(program, { args, stdout: "null", stderr: "null" }).spawn();
    this.#child = child;
    let code: number | undefined;
    child.status.then((status) => code = status.code);
    while (!await this.#answers()) {
      if (code !== undefined) throw new Error(`postgres ended with exit code ${code}: run it by hand to see why.`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends it and all that it has started at once, as a crash would. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGQUIT");
    await this.#child?.status;
    this.#child = undefined;
  }

  /** The process that has started all others, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Makes a database, empty or as a copy of another, and gives its URL. */
  async makeDatabase(template = "template1"): Promise<string> {
    const name = `test_${crypto.randomUUID().replaceAll("-", "")}`; // Others may use the server, too.
    await this.#query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    const url = new URL(this.#url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** Deletes a database, and whatever is still connected to it. */
  async dropDatabase(url: string): Promise<void> {
    await this.#query(`DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#folder) await Deno.remove(this.#folder, { recursive: true });
  }

  /** Ends it without a wait, for the end of a process. */
  end(): void {
    this.#child?.kill("SIGQUIT");
    if (this.#folder) Deno.removeSync(this.#folder, { recursive: true });
  }

  async #query(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.#url });
    client.on("error", () => {}); // The call fails as well.
    await client.connect();
    await client.query(sql).finally(() => client.end());
  }

  #answers(): Promise<boolean> {
    return this.#query("SELECT 1").then(() => true, () => false);
  }
}

function asPostgres(program: string, ...args: readonly string[]): [string, ...string[]] {
  const path = `${bin}/${program}`;
  if (Deno.uid() !== 0) return [path, ...args];
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", path, ...args];
}

async function run(program: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args], stdout: "null" }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}
