/**
 * A live page of all tasks, for the person who runs the system.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { HttpServer } from "../http/serve.ts";
import { type OnError, reporterOf } from "../log/on_error.ts";
import { callback, checkOptions, type Rules, wholeNumber } from "../options.ts";
import { BACKEND } from "../worker.ts";
import { newToken } from "./access.ts";
import { answer } from "./handler.ts";
import { Histories } from "./history/histories.ts";
import { Samples, SPAN_MS } from "./samples.ts";
import type { PageStream } from "./stream.ts";

/** The options of {@linkcode serveDashboard}. */
export interface DashboardOptions {
  /** The port on 127.0.0.1. Default: 0, any free one. */
  readonly port?: number;
  /** The secret at the end of the page's URL: at least 16 letters, digits, `-` and `_`. Default: a new random one. */
  readonly token?: string;
  /** Receives errors that no caller receives. Default: a line of JSON on stderr. */
  readonly onError?: OnError;
}

const RULES: Rules<DashboardOptions> = {
  port: wholeNumber(0, 65_535),
  token: {
    expected: "at least 16 letters, digits, - and _",
    fits: (value) => typeof value === "string" && /^[\w-]{16,}$/.test(value),
  },
  onError: callback,
};

/** A page that is being served. */
export interface Dashboard extends AsyncDisposable {
  /** Where to open it. Whoever knows this URL can see and stop all tasks. */
  readonly url: string;
  /** Resolves once it is no longer served. */
  readonly finished: Promise<void>;
}

/**
 * Serves the live page of a backend on 127.0.0.1: tasks of all owners, jobs, workers and schedules, with buttons to cancel,
 * retry and pause. Only those who know its `url` can use it. Rates and timelines are observed from now on, and kept in memory.
 * Throws `DefinitionError` for options that cannot be used, and `JobsError` if the port is taken.
 */
export async function serveDashboard(backend: Backend, options: DashboardOptions = {}): Promise<Dashboard> {
  checkOptions("serveDashboard", { backend }, { backend: BACKEND });
  checkOptions("serveDashboard", options, RULES);
  const { operator } = backend;
  const { port = 0, token = newToken() } = options;
  const samples = new Samples(Date.now());
  const histories = new Histories();
  const streams = new Set<PageStream>();
  const served = { backend, operator, samples, histories, streams, token };
  const onError = reporterOf(options.onError);
  await using opened = new AsyncDisposableStack();
  const place = { port, hostname: "127.0.0.1", onError };
  const server: HttpServer = await HttpServer.listen(place, (request) => answer(request, server.port, served));
  opened.defer(() => server.close());
  const sample = async () => samples.sample(await operator.counts(), Date.now());
  const failed = (error: unknown) => onError(error, { where: "count the tasks for the live page" });
  const timer = setInterval(() => void sample().catch(failed), SPAN_MS);
  opened.defer(() => clearInterval(timer));
  opened.defer(backend.watch((event) => {
    samples.observe(event);
    histories.observe(event);
  }));
  // Added last, so that it is closed first.
  opened.defer(() => [...streams].forEach((stream) => stream.close()));
  await sample();
  const all = opened.move();
  return {
    url: `http://127.0.0.1:${server.port}/#token=${token}`,
    finished: server.finished,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
