/**
 * All commands, in the order of the help.
 *
 * @module
 */
import type { Command } from "../command.ts";
import { cancel, retry } from "./change.ts";
import { dashboard } from "./dashboard.ts";
import { logs } from "./logs.ts";
import { pause, resume } from "./pause.ts";
import { schedules } from "./schedules.ts";
import { show } from "./show.ts";
import { stats } from "./stats.ts";
import { migrate, purge } from "./store.ts";
import { tasks } from "./tasks.ts";
import { watch } from "./watch.ts";
import { workers } from "./workers.ts";

export const COMMANDS: readonly Command[] = [
  tasks,
  show,
  logs,
  cancel,
  retry,
  pause,
  resume,
  workers,
  schedules,
  stats,
  watch,
  purge,
  dashboard,
  migrate,
];
