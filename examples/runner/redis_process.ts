/**
 * A Redis that is started for one run and ends with it: a `redis-server`, or a Docker container.
 *
 * @module
 */
import { freePort, noOwnRedis, whenRedisAnswers } from "../../tools/redis_server.ts";

const IMAGE = "redis:7-alpine";
const REDIS_PORT = 6379;

/** How long a Redis has to start, in ms; Docker may have to download it first. */
const START_MS = 10_000;
const DOWNLOAD_MS = 180_000;

/** How long it has to end, and Docker to answer, in ms. */
const GRACE_MS = 5_000;

/** Runs a Redis without persistence until stdin ends, so that it ends even if this process is killed. */
const SERVE = 'redis-server --save "" --appendonly no "$@" & cat >/dev/null; kill $!; wait $!';

/** How to start a Redis. */
interface Launch {
  readonly about: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly startLimit: number;
  /** How a person can find out why it does not start. */
  readonly advice: string;
  /** The signal that ends it, besides the end of its stdin. */
  readonly end?: Deno.Signal;
  /** Removes what it may have left behind. */
  readonly clear?: () => Promise<unknown>;
}

/** A running Redis. Dispose of it to end it. */
export interface RedisProcess extends AsyncDisposable {
  readonly about: string;
  readonly port: number;
}

/** Starts a Redis, or returns `undefined` if neither is installed. Rejects with the signal's reason. */
export async function startRedis(signal: AbortSignal): Promise<RedisProcess | undefined> {
  const port = freePort();
  if (noOwnRedis === undefined) return await start(redisServer(port), port, signal);
  const usable = await docker(["info"], AbortSignal.any([signal, AbortSignal.timeout(START_MS)]));
  signal.throwIfAborted();
  if (!usable) return undefined;
  console.log(`Redis: starting a container; Docker downloads ${IMAGE} first if needed, which takes a while …`);
  return await start(container(port), port, signal);
}

function redisServer(port: number): Launch {
  return {
    about: "a redis-server",
    command: "sh",
    args: ["-c", SERVE, "redis", "--port", String(port), "--bind", "127.0.0.1"],
    startLimit: START_MS,
    advice: "Run `redis-server` by hand to see why",
  };
}

function container(port: number): Launch {
  const name = `mcp-jobs-example-${crypto.randomUUID()}`;
  const options = ["--rm", "--interactive", "--name", name, "--publish", `127.0.0.1:${port}:${REDIS_PORT}`];
  return {
    about: `a container of ${IMAGE}`,
    command: "docker",
    args: ["run", ...options, IMAGE, "sh", "-c", SERVE, "redis", "--protected-mode", "no"],
    startLimit: DOWNLOAD_MS,
    advice: `Run \`docker pull ${IMAGE}\` by hand to see why`,
    // It does not read stdin while it downloads.
    end: "SIGTERM",
    // If `docker run` itself was killed, the container may still exist.
    clear: () => docker(["rm", "--force", name], AbortSignal.timeout(GRACE_MS)),
  };
}

async function start(launch: Launch, port: number, signal: AbortSignal): Promise<RedisProcess> {
  const { about, command, args, startLimit, advice } = launch;
  // Detached, so that Ctrl+C reaches only the runner: Redis must outlive the processes that use it.
  const process = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
    detached: true,
  }).spawn();
  try {
    const failed = await whenRedisAnswers(process, port, startLimit, signal);
    if (failed) throw new Error(`${about} ${failed}. ${advice}, or set REDIS_URL=redis://host:port.`);
  } catch (error) {
    await stop(process, launch);
    throw error;
  }
  return { about, port, [Symbol.asyncDispose]: () => stop(process, launch) };
}

/** Ends it within a time limit. It has its own process group, so no part of it stays behind. */
async function stop(process: Deno.ChildProcess, { end, clear }: Launch): Promise<void> {
  const send = (signal: Deno.Signal) => {
    try {
      Deno.kill(-process.pid, signal);
    } catch {
      // It has already ended.
    }
  };
  const timer = setTimeout(() => send("SIGKILL"), GRACE_MS);
  await process.stdin.close().catch(() => {});
  if (end) send(end);
  await process.status;
  clearTimeout(timer);
  await clear?.();
}

/** Runs Docker, if it is installed. Returns whether it succeeded before the signal. */
async function docker(args: readonly string[], signal: AbortSignal): Promise<boolean> {
  try {
    const silent = { stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command("docker", { args: [...args], ...silent, signal }).spawn().status).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
