/**
 * The log of a task: the lines that its job has written.
 *
 * @module
 */

/** How severe a line is, from the least to the most: the levels of MCP ("Logging"), which are those of RFC 5424. */
export type LogLevel = "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency";

/** A line of the log of a task. */
export interface LogLine {
  /** Its number within the task, from 1. The numbers of deleted lines are missing. */
  readonly number: number;
  /** When it was written, in ms since the epoch. */
  readonly at: number;
  /** How severe it is. */
  readonly level: LogLevel;
  /** The text, which may have line breaks. */
  readonly text: string;
}

/** A line that is about to be stored. */
export type NewLogLine = Omit<LogLine, "number">;
