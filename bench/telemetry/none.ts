/**
 * Replaces everything that makes spans and metrics in the process without telemetry: it only runs the wrapped code.
 *
 * @module
 */
// deno-lint-ignore-file explicit-module-boundary-types -- no code is checked against it

/** The files that this one replaces. */
export const REPLACED: readonly string[] = [
  "src/telemetry/spans.ts",
  "src/telemetry/task_spans.ts",
  "src/telemetry/metrics.ts",
  "src/telemetry/gauges.ts",
  "src/mcp/tools/call_span.ts",
  "src/mcp/messages/sent_span.ts",
];

const SPAN = { isRecording: () => false, setAttribute() {} };
const nothing = () => undefined;
const run = <T>(_: unknown, act: () => T): T => act();

export const inSpan = <T>(_: unknown, act: (span: typeof SPAN) => T): T => act(SPAN);
export const inThisContext = <T>(act: T): T => act;
export const activeTrace = nothing;
export const isTraced = () => false;
export const failureOf = () => ({});
export const rpcCodeOf = nothing;

export const inSendSpan = <T>(_: unknown, create: (trace: undefined) => T): T => create(undefined);
export const inProcessSpan = run;
export const inStepSpan = run;
export const inSleepSpan = run;
export const inElicitSpan = run;

export const isObserved = () => false;
export const countError = nothing;
export const countCreated = nothing;
export const countEnded = nothing;
export const countStoreError = nothing;
export const measureStart = nothing;
export const measured = nothing;
export const observe = nothing;

export const inCallSpan = <T>(_: unknown, __: unknown, ___: unknown, ____: unknown, act: () => T): T => act();
export const traceOf = nothing;
export const traceOfMeta = nothing;
export const inSentSpan = <M, T>(message: M, send: (message: M) => T): T => send(message);
