/**
 * What may happen to a task.
 *
 * @module
 */
import type { Attempt, ProgressReport, RecordedStep } from "../../../../../src/backend.ts";
import type { WaitsFor } from "../../../../../src/backends/shared/record.ts";
import type { Answer, NewQuestion } from "../../../../../src/task.ts";
import type { NewLines } from "../../../../../src/task_log/newest_lines.ts";

/** How a run ends; `abandoned`: its code was given up and may run on. */
export type RunEnd =
  & { readonly abandoned: boolean }
  & (
    | { readonly kind: "settled"; readonly attempt: Attempt }
    | { readonly kind: "cancelled" | "handed back" }
  );

/** One thing that happens to a task. */
export type Event =
  | { readonly kind: "claim" }
  | { readonly kind: "report"; readonly report: ProgressReport; readonly added: NewLines }
  | { readonly kind: "ask"; readonly questions: readonly NewQuestion[] }
  | { readonly kind: "answer"; readonly answers: { readonly [key: string]: Answer } }
  /** "ask" asks the worker of a task that runs; "stop_requested" waits for it no longer. */
  | { readonly kind: "cancel"; readonly work: "ask" | "stop_requested" }
  | { readonly kind: "settle"; readonly attempt: Attempt }
  | { readonly kind: "hand back"; readonly abandoned: boolean }
  /** The run waits without a worker: for answers to questions of these keys, or until a time. */
  | { readonly kind: "park"; readonly awaited: WaitsFor }
  | { readonly kind: "record"; readonly step: RecordedStep }
  /** `taken`: another worker takes the job before anybody reads the task. */
  | { readonly kind: "die"; readonly taken: boolean }
  /** A run that has lost its task, or whose task was cancelled over its head, reports, asks, records, parks or ends after all. */
  | { readonly kind: "report late"; readonly report: ProgressReport; readonly added: NewLines }
  | { readonly kind: "ask late"; readonly questions: readonly NewQuestion[] }
  | { readonly kind: "record late"; readonly step: RecordedStep }
  | { readonly kind: "park late"; readonly awaited: WaitsFor }
  | { readonly kind: "end late"; readonly end: RunEnd }
  | { readonly kind: "expire" };
