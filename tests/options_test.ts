import {
  AsyncToolServer,
  BullMqBackend,
  content,
  createClient,
  createWorker,
  defineJob,
  DefinitionError,
  DenoKvBackend,
  implement,
  JobsError,
  jwtAuthenticator,
  link,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  PostgresBackend,
  text as textPart,
} from "../mod.ts";
import { serveDashboard } from "../dashboard.ts";
import { resultOrHandle, ToolRegistry, validate } from "../strategy.ts";
import { exerciseBackend } from "../testing.ts";
import { checkOptions, type Rules, text, wholeNumber } from "../src/options.ts";
import { assertEquals, assertRejects, assertThrows } from "../tools/std.ts";

const input = { type: "object" } as const;
const echo = defineJob({ name: "echo", input, run: (input) => input });

/** Passes a value that the compiler would refuse. */
function untyped<F extends (...args: never[]) => unknown>(call: F): (...args: unknown[]) => unknown {
  return call as unknown as (...args: unknown[]) => unknown;
}

/** Passes values that the compiler would refuse to the methods of an object. */
function untypedMethods<T extends object>(of: T): { readonly [method in keyof T]: (...args: unknown[]) => unknown } {
  const get = (target: object, name: string | symbol) => (...args: unknown[]) =>
    Reflect.apply(Reflect.get(target, name), target, args);
  return new Proxy(of, { get }) as { readonly [method in keyof T]: (...args: unknown[]) => unknown };
}

function newServer(options: Record<string, unknown> = {}): AsyncToolServer {
  const parts = {
    name: "test",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new PollingExposureStrategy(),
  };
  return new AsyncToolServer({ ...parts, ...options });
}

Deno.test("an unknown option is refused by every function, and the error names the most similar known one", async () => {
  await using server = newServer();
  const backend = new MemoryBackend();
  const issuer = { issuer: "https://a.example", audience: "https://b.example", jwks: "https://a.example/keys" };
  const calls: [expected: string, call: () => unknown][] = [
    ['atempts of defineJob("x"): did you mean attempts?', () => untyped(defineJob)({ name: "x", input, atempts: 5 })],
    ["nmae of defineJob(undefined): did you mean name?", () => untyped(defineJob)({ nmae: "x", input })],
    [
      'backoff.maxdelay of defineJob("x"): did you mean backoff.maxDelay?',
      () => untyped(defineJob)({ name: "x", input, backoff: { maxdelay: 5 } }),
    ],
    [
      'annotations.readonlyHint of defineJob("x"): did you mean annotations.readOnlyHint?',
      () => untyped(defineJob)({ name: "x", input, annotations: { readonlyHint: true } }),
    ],
    [
      'resultTTL of registerAsyncTool("echo"): did you mean resultTtl?',
      () => untyped(server.registerAsyncTool.bind(server))(echo, { resultTTL: 5 }),
    ],
    [
      'tile of registerAsyncTool("echo"): did you mean title?',
      () => untyped(new ToolRegistry().register.bind(new ToolRegistry()))(echo, { tile: "Echo" }),
    ],
    ...["run", "queue", "jobName"].map((option): [string, () => unknown] => [
      `${option} of asyncTool("x")`,
      () => untyped(server.asyncTool.bind(server))({ name: "x", input, [option]: "x" }, () => 1),
    ]),
    [
      'resulttl of asyncTool("x"): did you mean resultTtl?',
      () => untyped(server.asyncTool.bind(server))({ name: "x", input, resulttl: 5 }, () => 1),
    ],
    ["allowedHost of AsyncToolServer: did you mean allowedHosts?", () => newServer({ allowedHost: [] })],
    [
      "limits.openTask of AsyncToolServer: did you mean limits.openTasks?",
      () => newServer({ limits: { openTask: 5 } }),
    ],
    ["hostName of run: did you mean hostname?", () => untyped(server.run.bind(server))({ hostName: "::" })],
    ["host of run: did you mean hostname?", () => untyped(server.run.bind(server))({ host: "::" })],
    [
      "worker.concurency of run: did you mean worker.concurrency?",
      () => untyped(server.run.bind(server))({ worker: { concurency: 8 } }),
    ],
    [
      "concurency of createWorker: did you mean concurrency?",
      () => untyped(createWorker)(backend, [echo], { concurency: 8 }),
    ],
    ["onEror of MemoryBackend: did you mean onError?", () => Reflect.construct(MemoryBackend, [{ onEror() {} }])],
    ["pth of DenoKvBackend.open: did you mean path?", () => untyped(DenoKvBackend.open)({ pth: "x.kv" })],
    [
      "leese of BullMqBackend.connect: did you mean lease?",
      () => untyped(BullMqBackend.connect)({ redis: "redis://localhost", leese: 5_000 }),
    ],
    [
      "notification of OperationResourceStrategy: did you mean notifications?",
      () => Reflect.construct(OperationResourceStrategy, [{ notification: true }]),
    ],
    [
      "clockskew of jwtAuthenticator: did you mean clockSkew?",
      () => untyped(jwtAuthenticator)({ ...issuer, clockskew: 5 }),
    ],
  ];
  for (const [expected, call] of calls) {
    await assertRejects(async () => await call(), DefinitionError, `Unknown option ${expected}`);
  }
  assertEquals(server.registry.list(), []);
});

Deno.test("an option unlike all known ones is refused with a list of these", () => {
  const expected = 'Unknown option retries of registerAsyncTool("echo"): it takes name, title, description, cancel,';
  const registry = new ToolRegistry();
  assertThrows(() => untyped(registry.register.bind(registry))(echo, { retries: 5 }), DefinitionError, expected);
});

Deno.test("an unknown option that is undefined is ignored", () => {
  untyped(defineJob)({ name: "x", input, later: undefined });
});

Deno.test("a value of the wrong kind is refused, and the error says what it must be", async () => {
  await using server = newServer();
  const open = () => Promise.resolve(new MemoryBackend());
  const run = untyped(server.run.bind(server));
  const calls: [expected: string, call: () => unknown][] = [
    ...["name", "version"].map((option): [string, () => unknown] => [
      `Cannot use undefined as ${option} of AsyncToolServer: it must be a text.`,
      () => newServer({ [option]: undefined }),
    ]),
    ['Cannot use "sse" as transport of run: it must be "stdio" or "http".', () => run({ transport: "sse" })],
    ['Cannot use "8000" as port of run: it must be a whole number from 0 to 65535.', () => run({ port: "8000" })],
    ["Cannot use NaN as port of run", () => run({ transport: "http", port: NaN })],
    ["Cannot use 70000 as port of run", () => run({ port: 70_000 })],
    ['Cannot use port of run over stdio: pass transport: "http", too.', () => run({ port: 8000 })],
    ["Cannot use hostname of run over stdio", () => run({ hostname: "0.0.0.0" })],
    ["Cannot use onListen of run over stdio", () => run({ onListen: () => {} })],
    ["Cannot use true as worker of run: it must be an object", () => run({ worker: true })],
    ["Cannot use 0 as worker.concurrency of run", () => run({ worker: { concurrency: 0 } })],
    ["Cannot use a Promise as backend of AsyncToolServer: await it first.", () => newServer({ backend: open() })],
    ["Cannot use undefined as backend of AsyncToolServer", () => newServer({ backend: undefined })],
    [
      "Cannot use a function as strategy of AsyncToolServer: it must be a strategy",
      () => newServer({ strategy: PollingExposureStrategy }),
    ],
    [
      'Cannot use "false" as defaultCancel of AsyncToolServer: it must be true or false.',
      () => newServer({ defaultCancel: "false" }),
    ],
    [
      'Cannot use "a.example" as allowedHosts of AsyncToolServer: it must be a list of texts.',
      () => newServer({ allowedHosts: "a.example" }),
    ],
    [
      'Cannot use "stdout" as audit of AsyncToolServer: it must be a function or "stderr".',
      () => newServer({ audit: "stdout" }),
    ],
    ["Cannot use a Promise as backend of createWorker: await it first.", () => untyped(createWorker)(open(), [echo])],
    [
      'Cannot use "x.kv" as the options of DenoKvBackend.open: pass an object.',
      () => untyped(DenoKvBackend.open)("x.kv"),
    ],
    ["Cannot use undefined as path of DenoKvBackend.open: it must be a text.", () => untyped(DenoKvBackend.open)({})],
    [
      'Cannot use "no" as cancel of registerAsyncTool("echo")',
      () => untyped(server.registerAsyncTool.bind(server))(echo, { cancel: "no" }),
    ],
    [
      'Cannot use "never" as taskSupport of registerAsyncTool("echo"): it must be "optional" or "required".',
      () => untyped(server.registerAsyncTool.bind(server))(echo, { taskSupport: "never" }),
    ],
  ];
  for (const [expected, call] of calls) await assertRejects(async () => await call(), DefinitionError, expected);
  assertEquals(server.registry.list(), []);
});

Deno.test("the compiler requires a rule for every option, and no others", () => {
  interface Options {
    readonly size: number;
    readonly name?: string;
  }
  const rules: Rules<Options> = { size: wholeNumber(1), name: text };
  // @ts-expect-error The rule for `name` is missing.
  const short: Rules<Options> = { size: wholeNumber(1) };
  // @ts-expect-error There is no option `colour`.
  const long: Rules<Options> = { size: wholeNumber(1), name: text, colour: text };
  checkOptions("it", { size: 1 }, rules);
  assertEquals([Object.keys(short), Object.keys(long)], [["size"], ["size", "name", "colour"]]);
});

Deno.test("a wrong argument of a public function or method is an error that says what was expected", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "ann" });
  const server = () => untypedMethods(new AsyncToolServer({ name: "wrong", version: "1.0.0", backend }));
  await using worker = createWorker(backend, [echo]);
  const task = await client.start(echo, {});
  const { start, wait } = untypedMethods(client);
  const calls: readonly (readonly [expected: string, call: (wrong: unknown) => unknown])[] = [
    ["as job of start", (wrong) => start(wrong, {})],
    ["as the options of start", (wrong) => start(echo, {}, wrong ?? null)],
    ["as id of wait", (wrong) => wait(wrong)],
    ["as signal of wait", (wrong) => wait(task, wrong ?? null)],
    ["as backend of createClient", (wrong) => untyped(createClient)(wrong, { owner: "ann" })],
    ["as the options of createClient", (wrong) => untyped(createClient)(backend, wrong)],
    ["as jobs of createWorker", (wrong) => untyped(createWorker)(backend, wrong)],
    ["as job of createWorker", (wrong) => untyped(createWorker)(backend, [wrong])],
    ["as grace of close", (wrong) => untypedMethods(worker).close(wrong === 5 ? -5 : wrong ?? null)],
    ["as the options of defineJob", (wrong) => untyped(defineJob)(wrong)],
    ["as job of implement", (wrong) => untyped(implement)(wrong, () => 1)],
    ["as job of registerAsyncTool", (wrong) => server().registerAsyncTool(wrong)],
    ["as the options of registerAsyncTool", (wrong) => server().registerAsyncTool(echo, wrong ?? null)],
    ["as job of schedule", (wrong) => server().schedule(wrong, { every: 1_000, owner: "ann" })],
    ["as the options of schedule", (wrong) => server().schedule(echo, wrong)],
    ["as register of extend", (wrong) => server().extend(wrong)],
    ["as request of fetch", (wrong) => server().fetch(wrong)],
    ["as the options of BullMqBackend.connect", (wrong) => untyped(BullMqBackend.connect)(wrong)],
    [
      "as the options of PollingExposureStrategy",
      (wrong) => Reflect.construct(PollingExposureStrategy, [wrong ?? null]),
    ],
    [
      "Cannot make a backend with `new`: call DenoKvBackend.open(",
      (wrong) => Reflect.construct(DenoKvBackend, [wrong]),
    ],
    ["`new`: call BullMqBackend.connect(", (wrong) => Reflect.construct(BullMqBackend, [wrong])],
    ["`new`: call PostgresBackend.connect(", (wrong) => Reflect.construct(PostgresBackend, [wrong])],
    ["as open of exerciseBackend", (wrong) => untyped(exerciseBackend)("mine", wrong)],
    ["as backend of serveDashboard", (wrong) => untyped(serveDashboard)(wrong)],
    ["The options of link(…) must be an object", (wrong) => untyped(link)("https://a.example/", wrong ?? null)],
    ["The options of content(…) must be an object", (wrong) => untyped(content)([textPart("a")], wrong ?? null)],
  ];
  for (const [expected, call] of calls) {
    for (const wrong of [undefined, null, 5, Promise.resolve({})]) {
      await assertRejects(async () => await call(wrong), JobsError, expected);
    }
  }
});

Deno.test("what is no schema is refused, and the error says what it is the schema of", async () => {
  for (
    const [wrong, named] of [[undefined, "undefined"], [null, "null"], [5, "5"], ["text", '"text"'], [[], "a list"]]
  ) {
    const what = `Cannot validate the input for echo: ${named} is no schema.`;
    await assertRejects(async () => await untyped(validate)(wrong, {}, "input for echo"), DefinitionError, what);
    await assertRejects(
      async () => await untyped(resultOrHandle)(wrong),
      DefinitionError,
      `: ${named} is no JSON Schema`,
    );
  }
});

Deno.test("a lease that no timer can hold is refused: a longer one would renew without a pause", async () => {
  for (const lease of [299, 2 ** 31, 1e12]) {
    for (
      const [of, open] of [
        ["DenoKvBackend.open", () => DenoKvBackend.open({ path: ":memory:", lease })],
        ["BullMqBackend.connect", () => BullMqBackend.connect({ redis: "redis://localhost:1", lease })],
        ["PostgresBackend.connect", () => PostgresBackend.connect({ url: "postgres://localhost:1/app", lease })],
      ] as const
    ) {
      const why = `Cannot use ${lease} as lease of ${of}: it must be a whole number from 300 to 2147483647.`;
      await assertRejects<JobsError>(async () => void await open(), DefinitionError, why);
    }
  }
});

Deno.test("instructions that no message could carry are refused", async () => {
  await using backend = new MemoryBackend();
  const serve = (instructions: string) => new AsyncToolServer({ name: "a", version: "1", backend, instructions });
  const why = "as instructions of AsyncToolServer: it must be a text of at most 780000 bytes as JSON.";
  assertThrows(() => serve("\0".repeat(200_000)), DefinitionError, why);
  serve("x".repeat(700_000));
});
