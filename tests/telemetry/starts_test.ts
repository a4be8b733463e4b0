/** What a start measures: one span and one value, for the task that its caller receives, or for the error. */
import {
  type Attributes,
  INVALID_SPAN_CONTEXT,
  type Meter,
  metrics,
  type Span,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { defineJob, MemoryBackend } from "../../mod.ts";
import { LimitExceeded } from "../../src/errors.ts";
import { ToolRegistry } from "../../src/registry.ts";
import type { GuardOptions } from "../../src/tasks/guard.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { EVENTS } from "../../src/telemetry/events.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";

const registered = new ToolRegistry().register(defineJob({ name: "report", input: { type: "object" } }));

/** Providers that keep what they are given. */
class Recorder {
  /** The attributes of each span that has ended. */
  readonly #spans: Attributes[] = [];
  /** The attributes of each value of the metric of stores. */
  readonly #values: Attributes[] = [];

  constructor() {
    const startSpan = (_: string, { attributes = {} }: { readonly attributes?: Attributes }): Span => {
      const all = { ...attributes };
      const span: Span = {
        spanContext: () => INVALID_SPAN_CONTEXT,
        isRecording: () => true,
        setAttribute: (name, value) => {
          if (value !== undefined) all[name] = value;
          return span;
        },
        setAttributes: () => span,
        addEvent: () => span,
        addLink: () => span,
        addLinks: () => span,
        setStatus: () => span,
        updateName: () => span,
        end: () => void this.#spans.push(all),
        recordException: () => {},
      };
      return span;
    };
    const tracer = { startSpan, startActiveSpan: () => {} };
    assert(trace.setGlobalTracerProvider({ getTracer: () => tracer } as unknown as TracerProvider));
    const make = (name: string) => ({
      add: () => {},
      record: (_: number, attributes: Attributes) => {
        if (name === EVENTS.send.name) this.#values.push(attributes);
      },
    });
    const meter = { createCounter: make, createHistogram: make } as unknown as Meter;
    assert(metrics.setGlobalMeterProvider({ getMeter: () => meter }));
  }

  /** What was recorded since the last time: the task or the error of each span, and the error of each value. */
  taken(): readonly unknown[] {
    const spans = this.#spans.splice(0).map((span) => span["error.type"] ?? span["messaging.message.id"]);
    return [spans, this.#values.splice(0).map((value) => value["error.type"])];
  }
}

/** One for all tests: the API keeps the first provider of spans that is used. */
const recorder = new Recorder();

/** A call. */
function start(server: Tasks): Promise<string> {
  return server.start(registered, {}, "me", { adopt: true }).then(({ id }) => id);
}

/** A server with an own view of what is in the store. */
function serverOf(backend: MemoryBackend, options?: GuardOptions): Tasks {
  return new Tasks(backend, Date.now, options);
}

/** A call whose client gives up; its task is left to the next one. */
async function abandoned(server: Tasks): Promise<string> {
  const task = await server.start(registered, {}, "me", { adopt: true });
  await server.caller(registered, "me", {}).abandon(Promise.resolve(task));
  return task.id;
}

Deno.test("a start has one span and one value, also where it takes over a task, whether its server knew of that or not", async () => {
  await using backend = new MemoryBackend();
  using one = serverOf(backend);
  using two = serverOf(backend);
  const left = await abandoned(one);
  assertEquals(recorder.taken(), [[left], [undefined]]);
  assertEquals(await start(two), left);
  assertEquals(recorder.taken(), [[left], [undefined]]);
  const again = await abandoned(two);
  recorder.taken();
  assertEquals(await start(two), again);
  assertEquals(recorder.taken(), [[again], [undefined]]);
});

Deno.test("a start that is refused, as its owner has too many open tasks, has one span and one value with this error", async () => {
  await using backend = new MemoryBackend();
  using server = serverOf(backend, { limits: { openTasks: 1 } });
  await start(server);
  recorder.taken();
  await assertRejects(() => start(server), LimitExceeded);
  assertEquals(recorder.taken(), [["LimitExceeded"], ["LimitExceeded"]]);
});
