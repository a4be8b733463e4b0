/**
 * A PostgreSQL for tests: a server of their own on a free port, in a folder that is deleted with it, or the one that
 * POSTGRES_URL names, whose user may make databases.
 *
 * @module
 */
import { dirname } from "node:path";
import pg from "pg";
import { descendants, isRunning } from "./processes.ts";
import { freePort } from "./redis_server.ts";
import { SHARED_FOLDER } from "./shared_folder.ts";

/** Where Debian, Homebrew and others keep the server's programs, if they are not on the PATH. */
const PLACES = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

const bin = await findBin(Deno.env.get("PATH"));

/** Why no server can be started here, or `undefined` if one can. */
export const noOwnPostgres: string | undefined = bin === undefined ? "install PostgreSQL 13 or later" : undefined;

/** Why the tests on PostgreSQL are left out, or `undefined` if they can run. */
export const noPostgres: string | undefined = Deno.env.has("POSTGRES_URL") || noOwnPostgres === undefined
  ? undefined
  : `${noOwnPostgres}, or set POSTGRES_URL`;

/** The folder of the server's programs: the first on the PATH, which says which version is meant, or else the newest. */
export async function findBin(path: string = ""): Promise<string | undefined> {
  const folders: string[] = [];
  for (const place of PLACES) {
    try {
      for await (const { name } of Deno.readDir(place)) folders.push(`${place}/${name}/bin`);
    } catch {
      // It is not kept there.
    }
  }
  for (const folder of [...path.split(":"), ...folders.sort().reverse()]) {
    // A link may stand there without the other programs.
    const initdb = await Deno.realPath(`${folder}/initdb`).catch(() => undefined); // It is not there.
    if (initdb !== undefined) return dirname(initdb);
  }
}

/**
 * Runs a command until stdin ends, even if whoever started it is killed. The first line that it writes is the process's
 * id. What was kept in the folder goes with it, unless it is to be started again.
 */
const SERVE = `"$@" >/dev/null 2>&1 & echo $!; exec >/dev/null
read word; kill -QUIT $!; wait $!
[ "$word" = keep ] || rm -rf "$FOLDER"`;

/** The line that makes it keep the folder. */
const KEEP = "keep";

/** A running server. */
export class PostgresServer implements AsyncDisposable {
  readonly #url: string;
  readonly #own: { readonly folder: string; readonly fsync: boolean } | undefined;
  #shell: Deno.ChildProcess | undefined;
  #pid: number | undefined;

  private constructor(url: string, own?: { readonly folder: string; readonly fsync: boolean }) {
    this.#url = url;
    this.#own = own;
  }

  /** Starts one, or takes the one that POSTGRES_URL names. */
  static async start(): Promise<PostgresServer> {
    const url = Deno.env.get("POSTGRES_URL");
    return url === undefined ? await PostgresServer.startOwn() : new PostgresServer(url);
  }

  /**
   * Starts one, which may be killed. Unless `fsync` is asked for it does not wait for the disk: what it has written
   * outlives the process all the same.
   */
  static async startOwn({ fsync = false }: { readonly fsync?: boolean } = {}): Promise<PostgresServer> {
    if (bin === undefined) throw new Error("Cannot start a PostgreSQL: its programs are not here. Install it.");
    return await PostgresServer.#make(fsync, makeData);
  }

  /** From now on every user except its own, `postgres`, needs a password (SCRAM). */
  async askForPasswords(): Promise<void> {
    if (this.data === undefined) throw new Error("Cannot change who is let in: others have started this server.");
    const rules = ["host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"];
    await Deno.writeTextFile(`${this.data}/pg_hba.conf`, `${rules.join("\n")}\n`);
    await this.query("SELECT pg_reload_conf()");
  }

  /** Starts a replica of this one, which follows it until it is promoted. */
  async startReplica(): Promise<PostgresServer> {
    const args = ["-d", this.#url, "-R", "-c", "fast", "--no-sync"];
    return await PostgresServer.#make(false, (data) => run(...asPostgres("pg_basebackup", "-D", data, ...args)));
  }

  /** Promotes a replica to the primary, with everything that it has received. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote()");
  }

  /** Starts one on the data that `fill` writes. */
  static async #make(fsync: boolean, fill: (data: string) => Promise<void>): Promise<PostgresServer> {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-postgres-" });
    await giveToPostgres(folder);
    await fill(`${folder}/data`);
    const server = new PostgresServer(`postgres://postgres@127.0.0.1:${freePort()}/postgres`, { folder, fsync });
    await server.start();
    return server;
  }

  /** Where it listens: the URL of a user who may do everything. */
  get url(): string {
    return this.#url;
  }

  /** The folder of its data; `undefined` for one that others have started. */
  get data(): string | undefined {
    return this.#own && `${this.#own.folder}/data`;
  }

  /** Starts it again after `kill`, and waits until it answers. */
  async start(): Promise<void> {
    if (this.#own === undefined) return;
    const { folder, fsync } = this.#own;
    const place = ["-D", `${folder}/data`, "-p", new URL(this.#url).port, "-k", folder];
    const options = ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", ...(fsync ? [] : ["-F"])];
    const shell = new Deno.Command("sh", {
      args: ["-c", SERVE, "postgres", ...asPostgres("postgres", ...place, ...options)],
      env: { FOLDER: folder },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      detached: true, // Ctrl+C is for whoever uses it.
    }).spawn();
    this.#shell = shell;
    const pid = this.#pid = Number(await new Response(shell.stdout).text());
    while (!await this.#answers()) {
      if (!await isRunning(pid)) {
        await this.#end();
        throw new Error("postgres ended before it answered: run it by hand to see why.");
      }
      await pause();
    }
  }

  /** Ends it and all that it has started with SIGKILL. */
  async kill(): Promise<void> {
    const all = await this.#freeze();
    for (const pid of all) send(pid, "SIGKILL");
    await this.#end(KEEP);
    // What is left of it would keep the next one from its memory.
    for (const pid of all) while (await isRunning(pid)) await pause();
  }

  /** Stops it from answering while its connections stay open, as a lost network would; and lets it go on. */
  async signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    for (const pid of await this.#freeze()) send(pid, signal);
  }

  /** Makes a database, empty or as a copy of another, and gives its URL. */
  async makeDatabase(template = "template1"): Promise<string> {
    const name = `test_${crypto.randomUUID().replaceAll("-", "")}`; // Others may use the server, too.
    await this.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    const url = new URL(this.#url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** Deletes a database, and whatever is still connected to it. */
  async dropDatabase(url: string): Promise<void> {
    await this.query(`DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.signal("SIGCONT"); // What is stopped does not end.
    await this.#end();
    try {
      // If it was killed, its folder was not removed.
      if (this.#own) await Deno.remove(this.#own.folder, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Ends it without a wait, for the end of a process: one that runs removes its folder itself once it has ended. */
  end(): void {
    if (this.#pid !== undefined) send(this.#pid, "SIGQUIT");
    else if (this.#own) Deno.removeSync(this.#own.folder, { recursive: true });
  }

  /** Stops all its processes, and returns their ids. Its first process starts no other meanwhile. */
  async #freeze(): Promise<readonly number[]> {
    if (this.#pid === undefined) return [];
    send(this.#pid, "SIGSTOP");
    const all = [this.#pid, ...await descendants(this.#pid)];
    for (const pid of all) send(pid, "SIGSTOP");
    return all;
  }

  async #end(word: string = ""): Promise<void> {
    const shell = this.#shell;
    this.#shell = this.#pid = undefined;
    if (shell === undefined) return;
    const input = shell.stdin.getWriter();
    await input.write(new TextEncoder().encode(`${word}\n`));
    await input.close();
    await shell.status;
  }

  /** Runs a statement as the user who may do everything. */
  async query<Row>(sql: string): Promise<readonly Row[]> {
    const client = new pg.Client({ connectionString: this.#url });
    client.on("error", () => {}); // The call fails as well.
    await client.connect();
    const { rows } = await client.query(sql).finally(() => client.end());
    return rows;
  }

  #answers(): Promise<boolean> {
    return this.query("SELECT 1").then(() => true, () => false);
  }
}

/** Gives a folder to the user that PostgreSQL runs as, for it does not run as root. */
export async function giveToPostgres(folder: string): Promise<void> {
  if (Deno.uid() === 0) await run("chown", "postgres", folder);
}

let servers = 0;
let ownFolder: string | undefined;

/**
 * Where the empty data of a server are kept, of which others begin with copies: that takes much less time than `initdb`.
 * Outside of `deno task test` a process has its own folder from its second server on: so a process with one server leaves
 * nothing behind if it is killed.
 */
function sharedFolder(): string | undefined {
  const shared = Deno.env.get(SHARED_FOLDER) ?? ownFolder;
  if (shared !== undefined || ++servers === 1) return shared;
  const folder = ownFolder = Deno.makeTempDirSync({ prefix: "mcp-jobs-initdb-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  return folder;
}

/** Makes the data of a new server. */
async function makeData(data: string): Promise<void> {
  const shared = sharedFolder();
  if (shared === undefined) return await initialize(data);
  const empty = `${shared}/postgres`;
  const exists = () => Deno.stat(empty).then(() => true, () => false);
  if (await exists()) return await run("cp", "-Rp", empty, data);
  await initialize(data);
  const copy = `${shared}/${crypto.randomUUID()}`;
  await run("cp", "-Rp", data, copy);
  // Where several processes come here at once, the first copy is kept, and the others go with the folder.
  await Deno.rename(copy, empty).catch(async (error) => {
    if (!await exists()) throw error;
  });
}

async function initialize(data: string): Promise<void> {
  await run(...asPostgres("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"));
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

function send(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // It has ended.
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
