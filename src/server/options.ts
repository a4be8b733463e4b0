/**
 * What a server takes: once, and for its run.
 *
 * @module
 */
import type { Audit } from "../tasks/audit.ts";
import type { Authenticate } from "../auth/authenticate.ts";
import type { Backend } from "../backend.ts";
import { DEFINITION } from "../job.ts";
import type { ExposureStrategy } from "../exposure/surface.ts";
import { LIMITS, type Limits } from "../tasks/limits.ts";
import {
  callback,
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
import { type RegisterOptions, REGISTRATION } from "../registry.ts";
import { BACKEND, WORKER, type WorkerOptions } from "../worker.ts";

/** What an `AsyncToolServer` takes. */
export interface ServerOptions {
  /** The server's name, told to clients. */
  readonly name: string;
  /** The server's version, told to clients. */
  readonly version: string;
  /** A title for people. */
  readonly title?: string;
  /** How a model best uses the server. */
  readonly instructions?: string;
  /** Where tasks are queued and stored. The server closes it when it is closed. */
  readonly backend: Backend;
  /** Which MCP surface the jobs get; default: an `AdaptiveExposureStrategy`. */
  readonly strategy?: ExposureStrategy;
  /** Whether clients may cancel tasks, where a registration does not say; default `true`. */
  readonly defaultCancel?: boolean;
  /**
   * Host names without port by which the server may be called over HTTP, beside `localhost`, `127.0.0.1`, `[::1]` and the
   * `hostname` of `run`; default none.
   */
  readonly allowedHosts?: readonly string[];
  /**
   * The origins whose pages may call the server from a browser, as "https://app.example.com", with scheme and port;
   * default none. A page needs it unless the server itself has served it.
   */
  readonly allowedOrigins?: readonly string[];
  /**
   * Says who sends an HTTP request, as `jwtAuthenticator` does; default: all callers are one, whom nobody knows. Over
   * stdio there is one owner: whoever can start the server.
   */
  readonly authenticate?: Authenticate;
  /** What one principal may use; docs/security.md tells the defaults. */
  readonly limits?: Limits;
  /**
   * Hears of each creation, cancellation, result read, refusal and session; it must be quick, and must not throw.
   * `"stderr"` writes them there, one line of JSON each, without waiting for whoever reads it. Default: `"stderr"` for
   * `run` with HTTP; elsewhere nobody hears of them.
   */
  readonly audit?: Audit | "stderr";
}

/** How a server offers a job. */
export interface OfferOptions extends RegisterOptions {
  /** Which MCP surface this job gets; default: the server's `strategy`. */
  readonly strategy?: ExposureStrategy;
}

/** How a server runs. */
export interface RunOptions {
  /** Where it listens; default `"stdio"`. */
  readonly transport?: "stdio" | "http";
  /** The port of HTTP; default 8000, 0 for any free one. */
  readonly port?: number;
  /**
   * The address of HTTP; default `"127.0.0.1"`. The server may be called by it; one that means all addresses, as
   * `"0.0.0.0"`, is no name: put those that clients use into `allowedHosts`.
   */
  readonly hostname?: string;
  /**
   * Also runs the registered jobs, in this process, once it is sure that the server serves; default: a worker elsewhere
   * does. Its `grace` is 0 by default here.
   */
  readonly worker?: WorkerOptions;
  /** Hears the URL once HTTP is served, and the `worker` takes tasks; default: it is written to stderr. */
  readonly onListen?: (url: string) => void;
  /** Ends the run. SIGINT and SIGTERM do so, too; a second one does not break off the end. */
  readonly signal?: AbortSignal;
}

const STRATEGY = having("expose", "a strategy, as `new AdaptiveExposureStrategy()`");

/** What the options of an offered job may be. */
export const OFFER: Rules<OfferOptions> = { ...REGISTRATION, strategy: STRATEGY };

const { run: _run, ...DEFINED } = DEFINITION;
const { queue: _queue, jobName: _jobName, ...OFFERED } = OFFER;

/** What the definition of `asyncTool` may be: a job with its registration, but for what is an argument or has no code. */
export const ASYNC_TOOL: { readonly [name: string]: Rule } = { ...DEFINED, ...OFFERED };

/** What the options of a server may be. */
export const SERVER: Rules<ServerOptions> = {
  name: required(text),
  version: required(text),
  title: text,
  instructions: text,
  backend: BACKEND,
  strategy: STRATEGY,
  defaultCancel: flag,
  allowedHosts: texts,
  allowedOrigins: texts,
  authenticate: callback,
  limits: nested(LIMITS),
  audit: either(callback, oneOf("stderr")),
};

/** What the options of a run may be. */
export const RUN: Rules<RunOptions> = {
  transport: oneOf("stdio", "http"),
  port: wholeNumber(0, 65_535),
  hostname: text,
  worker: nested(WORKER),
  onListen: callback,
  signal: having("throwIfAborted", "an AbortSignal"),
};
