/**
 * `ctx.progress`: how much a running job says is done.
 *
 * @module
 */
import type { Claim } from "../backend.ts";
import { DefinitionError } from "../errors.ts";
import type { OnError } from "../log/on_error.ts";
import { cutMessage } from "../text.ts";
import type { JobContext } from "./context.ts";

/** How far a sum of fractions may miss 0 or 1. */
const ROUNDING = 1e-6;

/** The `progress` of one run. `onError` receives the first report that is no fraction: it must not end the work. */
export function progressOf(
  { id, job }: Pick<Claim["task"], "id" | "job">,
  reports: Pick<Claim, "report">,
  onError: OnError,
): JobContext["progress"] {
  let isReported = false;
  return async (fraction, message) => {
    const number = Number(fraction);
    const progress = Math.min(1, Math.max(0, number || 0));
    if (!isReported && !(Math.abs(number - progress) < ROUNDING)) {
      isReported = true;
      // Logs are to contain no text of a user.
      const given = typeof fraction === "number" ? fraction : typeof fraction;
      const error = new DefinitionError(
        `ctx.progress(${given}) is reported as ${progress}: pass a number from 0 to 1, such as 0.5 for 50 %.`,
      );
      onError(error, { where: "report the progress of a job", job, task: id });
    }
    await reports.report({ progress, message: message === undefined ? undefined : cutMessage(String(message)) });
  };
}
