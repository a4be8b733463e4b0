/**
 * A Redis that is started for one run, and ends with it: a `redis-server`, or a container of Docker.
 *
 * @module
 */
import { answers, freePort, hasRedisServer } from "../../tools/redis_server.ts";

const IMAGE = "redis:7-alpine";
const REDIS_PORT = 6379;

/** How long a Redis has to start, in ms; Docker may have to fetch it first. */
const START_MS = 10_000;
const FETCH_MS = 180_000;

/** How long it has to end when it is told to, and Docker to answer, in ms. */
const GRACE_MS = 5_000;

/** Runs a Redis that stores nothing, until stdin ends: so it ends with us, even if we are killed. */
const SERVE = 'redis-server --save "" --appendonly no "$@" & cat >/dev/null; kill $!; wait $!';

/** A way to a Redis. */
interface Way {
  readonly about: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly patience: number;
  /** What a person may do to see why it does not start. */
  readonly advice: string;
  /** What tells it to end, beside the end of its stdin. */
  readonly end?: Deno.Signal;
  /** Removes what it may have left. */
  readonly clear?: () => Promise<unknown>;
}

/** A running Redis. Dispose of it to end it. */
export interface RedisProcess extends AsyncDisposable {
  readonly about: string;
  readonly port: number;
}

/** Starts a Redis, or returns `undefined` where nothing is there to start. Rejects with the signal's reason. */
export async function startRedis(signal: AbortSignal): Promise<RedisProcess | undefined> {
  const port = freePort();
  if (hasRedisServer) return await start(redisServer(port), port, signal);
  const usable = await docker(["info"], AbortSignal.any([signal, AbortSignal.timeout(START_MS)]));
  signal.throwIfAborted();
  if (!usable) return undefined;
  console.log(`Redis: starting a container; Docker fetches ${IMAGE} first if it is not here, which takes a while …`);
  return await start(container(port), port, signal);
}

function redisServer(port: number): Way {
  return {
    about: "a redis-server",
    command: "sh",
    args: ["-c", SERVE, "redis", "--port", String(port), "--bind", "127.0.0.1"],
    patience: START_MS,
    advice: "Run `redis-server` by hand to see why",
  };
}

function container(port: number): Way {
  const name = `mcp-jobs-example-${crypto.randomUUID()}`;
  const options = ["--rm", "--interactive", "--name", name, "--publish", `127.0.0.1:${port}:${REDIS_PORT}`];
  return {
    about: `a container of ${IMAGE}`,
    command: "docker",
    args: ["run", ...options, IMAGE, "sh", "-c", SERVE, "redis", "--protected-mode", "no"],
    patience: FETCH_MS,
    advice: `Run \`docker pull ${IMAGE}\` by hand to see why`,
    // It reads no stdin while it fetches.
    end: "SIGTERM",
    // Where `docker run` itself was killed, the container may be there.
    clear: () => docker(["rm", "--force", name], AbortSignal.timeout(GRACE_MS)),
  };
}

async function start(way: Way, port: number, signal: AbortSignal): Promise<RedisProcess> {
  const { about, command, args, patience, advice } = way;
  // Ctrl+C is for the runner: Redis is there until all who use it have ended.
  const process = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
    detached: true,
  }).spawn();
  let ended = false;
  process.status.then(() => ended = true);
  const deadline = Date.now() + patience;
  try {
    while (!await answers(port)) {
      signal.throwIfAborted();
      const failed = ended
        ? `ended before it answered on port ${port}`
        : Date.now() > deadline && `did not answer on port ${port} within ${patience} ms`;
      if (failed) throw new Error(`${about} ${failed}. ${advice}, or set REDIS_URL=redis://host:port.`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } catch (error) {
    await stop(process, way);
    throw error;
  }
  return { about, port, [Symbol.asyncDispose]: () => stop(process, way) };
}

/** Ends it, within a limit. It is a process group of its own, so nothing of it is left. */
async function stop(process: Deno.ChildProcess, { end, clear }: Way): Promise<void> {
  const send = (signal: Deno.Signal) => {
    try {
      Deno.kill(-process.pid, signal);
    } catch {
      // It has ended by itself.
    }
  };
  const timer = setTimeout(() => send("SIGKILL"), GRACE_MS);
  await process.stdin.close().catch(() => {});
  if (end) send(end);
  await process.status;
  clearTimeout(timer);
  await clear?.();
}

/** Runs Docker, if it is there. Returns whether it ended well, and before the signal. */
async function docker(args: readonly string[], signal: AbortSignal): Promise<boolean> {
  try {
    const silent = { stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command("docker", { args: [...args], ...silent, signal }).spawn().status).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
