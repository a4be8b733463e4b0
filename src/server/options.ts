/**
 * The options of a server, and of its run.
 *
 * @module
 */
import type { Audit } from "../tasks/audit.ts";
import type { Authenticate } from "../auth/authenticate.ts";
import type { Backend } from "../backend.ts";
import { DefinitionError } from "../errors.ts";
import { checkJob, DEFINITION, type Job } from "../job.ts";
import type { ExposureStrategy } from "../exposure/surface.ts";
import type { OnError } from "../log/on_error.ts";
import type { Served } from "../mcp/served.ts";
import { LIMITS, type Limits } from "../tasks/limits.ts";
import { isObject } from "../json.ts";
import {
  callback,
  checkOptions,
  either,
  flag,
  having,
  nested,
  oneOf,
  required,
  type Rule,
  type Rules,
  text,
  texts,
  wholeNumber,
} from "../options.ts";
import { fits, MAX_PAYLOAD_BYTES } from "../text.ts";
import { INLINE_BYTES, REGISTRATION, type RegistryOptions } from "../registry.ts";
import { BACKEND, WORKER, type WorkerOptions } from "../worker.ts";

/** The options of `AsyncToolServer`. */
export interface ServerOptions {
  /** The server's name, as clients see it. */
  readonly name: string;
  /** The server's version, as clients see it. */
  readonly version: string;
  /** A title for people. */
  readonly title?: string;
  /** Instructions for the model how to use the server. */
  readonly instructions?: string;
  /** Where tasks are queued and stored. The server closes it when it is closed. */
  readonly backend: Backend;
  /** Decides which MCP surface the jobs get. Default: an `AdaptiveExposureStrategy`. */
  readonly strategy?: ExposureStrategy;
  /** Whether clients may cancel tasks of jobs whose registration does not say. Default: `true`. */
  readonly defaultCancel?: boolean;
  /**
   * The largest answer with a result, in bytes, from 8,000 to 780,000; its text has at most two fifths of it, because
   * coding agents cut texts of 40,000 to 50,000. A larger result is answered with its beginning, and read page by page.
   * Default: 100,000.
   */
  readonly inlineBytes?: number;
  /**
   * Host names, without port, by which the server may be called over HTTP, besides `localhost`, `127.0.0.1`, `[::1]` and
   * the `hostname` of `run`. Default: none.
   */
  readonly allowedHosts?: readonly string[];
  /**
   * The origins whose pages may call the server from a browser, with scheme and port, such as "https://app.example.com".
   * Pages that the server itself has served need no entry. Default: none.
   */
  readonly allowedOrigins?: readonly string[];
  /**
   * Authenticates an HTTP request, as `jwtAuthenticator` does. Default: none, and all callers share one anonymous owner.
   * Over stdio there is always one owner, the user who starts the server.
   */
  readonly authenticate?: Authenticate;
  /** How much one principal may use the server; docs/security.md has the defaults. */
  readonly limits?: Limits;
  /**
   * Receives an event for each creation, answered or expired question, cancellation, read of a result or log, refusal and
   * session. A function must be quick; what it throws goes to `onError`. `"stderr"` writes each event there as one line of
   * JSON, without waiting for a reader. Default: `"stderr"` for `run` with HTTP, otherwise none.
   */
  readonly audit?: Audit | "stderr";
  /**
   * Receives errors that no caller receives, also those of the `worker` of `run` unless that has its own `onError`. Default: a
   * line of JSON on stderr.
   */
  readonly onError?: OnError;
}

/** The options of `registerAsyncTool`. */
export interface RegisterOptions extends RegistryOptions {
  /** Decides which MCP surface this job gets. Default: the server's `strategy`. */
  readonly strategy?: ExposureStrategy;
}

/** The options of `run`. */
export interface RunOptions {
  /** The transport. Default: `"stdio"`. `port`, `hostname` or `onListen` without it is an error. */
  readonly transport?: "stdio" | "http";
  /** The port of HTTP; 0 for any free one. Default: 8000. */
  readonly port?: number;
  /**
   * The address of HTTP, by which the server may then be called. One that means all addresses, such as `"0.0.0.0"`, is not
   * a name: list the names that clients use in `allowedHosts`. Where other machines may reach it and the server has no
   * `authenticate`, a line on stderr says so. Default: `"127.0.0.1"`.
   */
  readonly hostname?: string;
  /**
   * Also runs the registered jobs in this process, once it is certain that the server can serve. Its `grace` is 0 unless
   * set. Default: none; workers run elsewhere.
   */
  readonly worker?: WorkerOptions;
  /** Receives the URL once HTTP is served and the `worker` takes tasks. Default: it is written to stderr. */
  readonly onListen?: (url: string) => void;
  /** Ends the run, as SIGINT, SIGTERM and SIGHUP do. A second one does not interrupt the shutdown. */
  readonly signal?: AbortSignal;
}

const STRATEGY = having("expose", "a strategy, as `new AdaptiveExposureStrategy()`");

const REGISTER: Rules<RegisterOptions> = { ...REGISTRATION, strategy: STRATEGY };

const { run: _run, ...DEFINED } = DEFINITION;
const { queue: _queue, jobName: _jobName, ...OFFERED } = REGISTER;

/** The rules of `asyncTool`: a job and its registration, without `run`, which is an argument, and queues of others. */
export const ASYNC_TOOL: { readonly [name: string]: Rule } = { ...DEFINED, ...OFFERED };

/** Clients get it in one message. */
const INSTRUCTIONS: Rule = {
  expected: `a text of at most ${MAX_PAYLOAD_BYTES} bytes as JSON`,
  fits: (value) => typeof value === "string" && fits(value),
};

export const SERVER: Rules<ServerOptions> = {
  name: required(text),
  version: required(text),
  title: text,
  instructions: INSTRUCTIONS,
  backend: BACKEND,
  strategy: STRATEGY,
  defaultCancel: flag,
  inlineBytes: INLINE_BYTES,
  allowedHosts: texts,
  allowedOrigins: texts,
  authenticate: callback,
  limits: nested(LIMITS),
  audit: either(callback, oneOf("stderr")),
  onError: callback,
};

/** An HTTP request, also one of a class of its own. */
export const REQUEST: Rule = required({
  expected: "a Request",
  fits: (value) => isObject(value) && typeof value.url === "string" && isObject(value.headers),
});

const RUN: Rules<RunOptions> = {
  transport: oneOf("stdio", "http"),
  port: wholeNumber(0, 65_535),
  hostname: text,
  worker: nested(WORKER),
  onListen: callback,
  signal: having("throwIfAborted", "an AbortSignal"),
};

/** The options of a run that are of HTTP alone. */
const OF_HTTP = ["port", "hostname", "onListen"] as const;

/** Throws `DefinitionError` for what `run` does not take, and for options of HTTP if nothing says which transport is meant. */
export function checkRun(options: RunOptions): void {
  checkOptions("run", options, RUN);
  const lost = options.transport === undefined ? OF_HTTP.find((name) => options[name] !== undefined) : undefined;
  if (lost) throw new DefinitionError(`Cannot use ${lost} of run over stdio: pass transport: "http", too.`);
}

/**
 * Returns what was passed to `extend`. No type of the SDK is part of our signatures: the user names the type, and this is
 * what they get. Throws `DefinitionError` unless it is a function.
 */
export function extensionOf(register: unknown): Served["extensions"][number] {
  checkOptions("extend", { register }, { register: required(callback) });
  return register as Served["extensions"][number];
}

/** Throws `DefinitionError` for what `registerAsyncTool` does not take. */
export function checkRegistration(job: Job, options: unknown): void {
  checkJob("registerAsyncTool", job);
  checkOptions(`registerAsyncTool(${JSON.stringify(job.name)})`, options, REGISTER);
}
