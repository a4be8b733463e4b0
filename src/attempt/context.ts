/**
 * What a job's code gets besides its input.
 *
 * @module
 */
import type { Claim, LogLevel } from "../backend.ts";
import { DefinitionError } from "../errors.ts";
import type { OnError } from "../log/on_error.ts";
import { elicitOf } from "../questions/elicit.ts";
import type { JobContext } from "../steps/context.ts";
import { progressOf } from "../steps/progress.ts";
import type { Steps } from "../steps/steps.ts";
import { isLogLevel, LOG_LEVELS } from "../task_log/levels.ts";
import { logLine } from "../task_log/newest_lines.ts";
import { activeTrace } from "../telemetry/spans.ts";
import { cutMessage, quote } from "../text.ts";

/** The context of an attempt. `signal` is that of the claim, or also aborts at the time-out. */
export function contextOf(claim: Claim, signal: AbortSignal, steps: Steps, onError: OnError): JobContext {
  const { id, job, owner, attempt } = claim.task;
  const trace = activeTrace() ?? claim.trace;
  return {
    id,
    job,
    owner,
    attempt,
    signal,
    ...(trace && { trace }),
    progress: progressOf(claim.task, steps.reports, onError),
    ...steps.methods,
    log: (...args: readonly [text: string] | readonly [level: LogLevel, text: string]) => {
      const [level, text] = args.length === 1 ? ["info" as const, ...args] : args;
      return logTo(steps.reports, claim.now(), level, text);
    },
    elicit: elicitOf(steps, signal),
  };
}

/** Throws synchronously: lines need not be awaited, and an unhandled rejection would end the process. */
function logTo(reports: Pick<Claim, "report" | "log">, now: number, level: unknown, text: unknown): Promise<void> {
  if (!isLogLevel(level)) {
    throw new DefinitionError(`Cannot log with the level ${quote(String(level))}: use ${LOG_LEVELS.join(", ")}.`);
  }
  const line = logLine(now, level, String(text));
  if (level !== "debug") void reports.report({ message: cutMessage(line.text) }); // Stored with the line.
  return reports.log(line);
}
