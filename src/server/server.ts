/**
 * The server: offers jobs to clients over stdio and HTTP, or through `fetch`.
 *
 * @module
 */
import { announce } from "./announce.ts";
import { type Audited, AuditLog, auditOf } from "./audit_log.ts";
import { buildServed } from "./build_served.ts";
import { Health } from "./health.ts";
import { memoryStreams } from "../backends/memory/streams.ts";
import { DefinitionError } from "../errors.ts";
import { defineJob, type Job, type JobDefinition, type Returned } from "../job.ts";
import type { JobContext } from "../steps/context.ts";
import type { ExposureStrategy } from "../exposure/surface.ts";
import type { Served } from "../mcp/served.ts";
import { withDefaults } from "../tasks/limits.ts";
import { allowedHosts } from "../mcp/http/hosts.ts";
import { HttpEndpoint } from "../mcp/http/endpoint.ts";
import { listen } from "../mcp/http/listen.ts";
import { reporterOf } from "../log/on_error.ts";
import { Origins } from "../mcp/http/origins.ts";
import { shuttingDown } from "../mcp/http/refusals.ts";
import { serveOnStdio } from "../mcp/stdio/stdio.ts";
import type { FetchInfo } from "../tasks/audit_source.ts";
import { checkOptions } from "../options.ts";
import { ToolRegistry } from "../registry.ts";
import type { ScheduleOptions } from "../schedules/declare.ts";
import type { Accepted, Infer, Schema } from "../schema/schema.ts";
import { ASYNC_TOOL, checkRegistration, checkRun, extensionOf, REQUEST, SERVER } from "./options.ts";
import type { RegisterOptions, RunOptions, ServerOptions } from "./options.ts";
import { observe } from "../telemetry/gauges.ts";
import { onEndSignal } from "./end_signals.ts";
import { OwnWorker } from "./own_worker.ts";
import { Schedules } from "./schedules.ts";

/**
 * An MCP server whose tools are background jobs.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 *
 * await using server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend: new MemoryBackend() });
 * server.asyncTool({ name: "echo", input: z.object({ text: z.string() }) }, ({ text }) => text);
 * // await server.run({ worker: { concurrency: 4 } });
 * ```
 */
export class AsyncToolServer implements AsyncDisposable {
  /** The registered jobs. */
  readonly registry: ToolRegistry = new ToolRegistry();
  readonly #options: ServerOptions;
  /** The strategies of jobs that have one of their own, by the names of their tools. */
  readonly #strategies = new Map<string, ExposureStrategy>();
  readonly #extensions: Served["extensions"][number][] = [];
  /** The names by which the server may be called through `fetch`. */
  readonly #hosts: string[];
  readonly #origins: Origins;
  readonly #health: Health;
  readonly #audited: Audited;
  /** The audit log on stderr; exists once something is served. */
  #log: AuditLog | undefined;
  /** What all clients are served, through `fetch` and `run`; built for the first one. */
  #served: Promise<Served> | undefined;
  #endpoint: HttpEndpoint | undefined;
  readonly #schedules: Schedules;
  readonly #worker = new OwnWorker();
  readonly #end = new AbortController();
  /** Resolves once `run` has ended. */
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** Starts nothing yet. Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: ServerOptions) {
    checkOptions("AsyncToolServer", options, SERVER);
    this.#options = options;
    this.#audited = auditOf(options, () => this.#log);
    this.#hosts = allowedHosts(options.allowedHosts);
    this.#origins = new Origins(options.allowedOrigins);
    this.#health = new Health(options.backend, options.onError);
    this.#schedules = new Schedules(options, this.registry, this.#audited.audit);
  }

  /**
   * Offers a job. Throws `DefinitionError` if its name is taken, an option cannot be used, the backend cannot reach its
   * `queue`, or the server is serving already.
   */
  registerAsyncTool(job: Job, options: RegisterOptions = {}): this {
    checkRegistration(job, options);
    const { strategy, ...registration } = options;
    const { name = job.name, queue } = options;
    this.#refuseLate(name);
    if (queue !== undefined && !this.#options.backend.routes) {
      throw new DefinitionError(
        `Cannot send ${name} to the queue ${JSON.stringify(queue)}: the server's backend has no queues of others. ` +
          "Use BullMqBackend.",
      );
    }
    const { cancel = this.#options.defaultCancel, inlineBytes = this.#options.inlineBytes } = options;
    this.registry.register(job, { ...registration, cancel, inlineBytes });
    if (strategy) this.#strategies.set(name, strategy);
    return this;
  }

  /** Defines a job and offers it. Returns the job, for a worker. Throws as `defineJob` and `registerAsyncTool` do. */
  asyncTool<In extends Schema, Out extends Returned<Output>, Output extends Schema = Schema>(
    definition:
      & Omit<JobDefinition<In, Out, Output>, "run">
      & Omit<RegisterOptions, "queue" | "jobName">,
    run: (input: Infer<In>, ctx: JobContext) => Out | Promise<Out>,
  ): Job<Infer<In>, Out> {
    checkOptions(`asyncTool(${JSON.stringify(definition?.name)})`, definition, ASYNC_TOOL);
    const { cancel, cancelOnDisconnect, answerWithin, inlineBytes, resultTtl, taskSupport, ...others } = definition;
    const { askFor, perCall, answers, strategy, ...rest } = others;
    const job = defineJob({ ...rest, run });
    const offer = { cancel, cancelOnDisconnect, answerWithin, inlineBytes, resultTtl, taskSupport };
    this.registerAsyncTool(job, { ...offer, askFor, perCall, answers, strategy });
    return job;
  }

  /**
   * Creates a task of a job at each due time: exactly one, however many servers declare the same schedule. It begins with
   * `run`, over stdio with the client's first call, or with the first request to `fetch`. A job that is not registered is
   * scheduled as well, but no client sees its tasks. Resolves once the input is validated. Rejects with `DefinitionError`
   * for a name that is taken or an option that cannot be used, and with `InvalidInput`.
   */
  async schedule<In extends Schema, Output>(
    job: Job<never, Output, In>,
    options: ScheduleOptions<Accepted<In>>,
  ): Promise<void> {
    this.#refuseLate("a schedule");
    await this.#schedules.add(job as Job, options);
  }

  /**
   * Adds plain tools, prompts and resources through the official SDK's own API. `register` is called for each connection
   * with an `McpServer` of `npm:@modelcontextprotocol/server`; annotate its parameter with that type. In revision 2026-07-28
   * over HTTP that is each request, but not a call of a job's tool. It is also called once when the server starts to serve,
   * which fails with `DefinitionError` if a plain tool has the name of a job's tool, a plain resource has the URI of a job's
   * result, or `register` is an async function. Load what it needs before.
   *
   * @example
   * ```ts
   * import { AsyncToolServer, MemoryBackend } from "@mcp-jobs/mcp-jobs";
   * import type { McpServer } from "@modelcontextprotocol/server";
   * const server = new AsyncToolServer({ name: "mixed", version: "1.0.0", backend: new MemoryBackend() });
   * server.extend((mcp: McpServer) => {
   *   mcp.registerTool("ping", { description: "Answers at once" }, () => ({ content: [{ type: "text", text: "pong" }] }));
   * });
   * ```
   */
  extend<Mcp>(register: (mcp: Mcp) => void): this {
    this.#refuseLate("an extension");
    this.#extensions.push(extensionOf(register));
    return this;
  }

  /**
   * Answers one HTTP request, for `Deno.serve` and frameworks that use `Request` and `Response`. The answer is 503 once the
   * server is closed. Rejects with `DefinitionError` if `run` would.
   */
  readonly fetch: (request: Request, info?: FetchInfo) => Promise<Response> = (request, info) =>
    this.#answer(request, info, this.#hosts);

  async #answer(request: Request, info: FetchInfo | undefined, hosts: string[]): Promise<Response> {
    checkOptions("fetch", { request }, { request: REQUEST });
    return this.#origins.expose(request, await this.#serveHttp(request, info, hosts));
  }

  async #serveHttp(request: Request, info: FetchInfo | undefined, hosts: string[]): Promise<Response> {
    if (this.#closing) return shuttingDown();
    const served = await this.#serve();
    if (this.#closing) return shuttingDown();
    this.#schedules.start();
    const { backend, authenticate, limits } = this.#options;
    this.#endpoint ??= new HttpEndpoint(served, {
      authenticate,
      origins: this.#origins,
      streams: backend.streams ?? memoryStreams(),
      documents: backend.documents,
      requestsPerMinute: withDefaults(limits).requestsPerMinute,
      sessionsOfOne: withDefaults(limits).sessions,
      checkHealth: () => this.#health.check(),
      audit: this.#audited.audit,
    });
    return await this.#endpoint.fetch(request, info, hosts);
  }

  /**
   * Serves until the stdio client is gone, SIGINT, SIGTERM or SIGHUP arrives, `signal` aborts, or `close` is called; then
   * closes the server. Rejects with `DefinitionError` if a job's JSON Schema is invalid, two tools have the same name, or the
   * server is running already or was closed; with `JobsError` if HTTP cannot listen, for example because the port is taken;
   * and with the error of a `worker` that cannot start.
   *
   * A connected stdio client that does not read keeps the process alive after the run: Deno cannot cancel a write to stdout
   * that has begun. The process ends with the client, with another signal, or with `Deno.exit()` after `run`.
   */
  async run(options: RunOptions = {}): Promise<void> {
    checkRun(options);
    this.#refuseRun();
    const stop = () => this.#end.abort();
    using _signals = onEndSignal(stop); // Until all is closed.
    options.signal?.addEventListener("abort", stop);
    if (options.signal?.aborted) stop();
    const running = this.#runToEnd(options);
    this.#running = running.catch(() => {}); // The caller of `run` gets the error.
    try {
      await running.finally(() => this.close());
    } finally {
      options.signal?.removeEventListener("abort", stop);
    }
  }

  /** Ends `run`, and closes all connections and the backend. Resolves when everything is closed. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #runToEnd(options: RunOptions): Promise<void> {
    if (options.transport === "http" && this.#options.audit === undefined) this.#log ??= new AuditLog();
    const served = await this.#serve();
    if (this.#end.signal.aborted) return;
    // No job starts before the server is certain to serve: one that fails at each start would begin and stop them each time.
    const start = (after?: Promise<void>) => this.#startWork(options, after);
    const closeWorker = () => this.#worker.close(served.tasks, options);
    // At once: a slow client may delay the end of its connection, and a supervisor may not wait for that.
    this.#end.signal.addEventListener("abort", () => void closeWorker().catch(() => {}), { once: true });
    if (options.transport === "http") await this.#runHttp(options, start);
    else await serveOnStdio(served, this.#end.signal, start);
    // The client waits for this process to exit: running tasks are handed back, and run again in the next one.
    await closeWorker();
  }

  async #close(): Promise<void> {
    this.#end.abort();
    await Promise.all([this.#running, this.#schedules[Symbol.asyncDispose]()]);
    await this.#endpoint?.[Symbol.asyncDispose]();
    // If this failed, its caller got the error.
    const tasks = (await this.#served?.catch(() => {}))?.tasks;
    // Calls whose clients are gone may still cancel their work.
    await tasks?.allClosed();
    tasks?.[Symbol.dispose]();
    try {
      await this.#options.backend.close();
    } finally {
      await this.#log?.[Symbol.asyncDispose]();
    }
  }

  async #runHttp(
    { port = 8000, hostname = "127.0.0.1", onListen }: RunOptions,
    startWorker: () => Promise<void>,
  ): Promise<void> {
    const { signal } = this.#end;
    const hosts = allowedHosts(this.#options.allowedHosts, hostname);
    const begin = async (url: string) => {
      await startWorker();
      if (!signal.aborted) await announce(url, hostname, this.#options, onListen);
    };
    const close = async () => await this.#endpoint?.[Symbol.asyncDispose]();
    const answer = (request: Request, info: FetchInfo) => this.#answer(request, info, hosts);
    const onError = reporterOf(this.#options.onError);
    await listen({ port, hostname, onListen: begin, onError, signal }, answer, close);
  }

  /** Starts the schedules and the worker, which claims tasks once `after` resolves. Resolves when it is ready. */
  async #startWork(options: RunOptions, after?: Promise<void>): Promise<void> {
    this.#schedules.start(after);
    // A job that is registered under two names is still one job.
    const jobs = new Set([...this.registry.list().map(({ job }) => job), ...this.#schedules.jobs]);
    await this.#worker.start(this.#options, [...jobs], options, after);
  }

  /** Builds what is served, once: from then on the tools are fixed. */
  #serve(): Promise<Served> {
    if (this.#served) return this.#served;
    if (this.#options.audit === "stderr") this.#log ??= new AuditLog();
    observe(this.#options.backend, this.#end.signal);
    return this.#served = this.#schedules.checked().then(() =>
      buildServed(this.#options, this.registry.list(), this.#strategies, this.#extensions, this.#audited)
    );
  }

  #refuseRun(): void {
    const { name } = this.#options;
    if (this.#closing) throw new DefinitionError(`Cannot run ${name}: it was closed. Create a new server.`);
    if (this.#running) {
      throw new DefinitionError(`Cannot run ${name}: it is running already. Create a new server for another run.`);
    }
  }

  #refuseLate(what: string): void {
    if (this.#served) throw new DefinitionError(`Cannot register ${what}: the server is already serving.`);
  }
}
