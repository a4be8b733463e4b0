/**
 * The logs of a job's tasks as resources.
 *
 * @module
 */
import type { LogLine } from "../../backend.ts";
import type { RegisteredJob } from "../../registry.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { SurfaceTemplate } from "../surface.ts";
import { taskOfJob } from "../task_of_job.ts";
import { ResultPartNotFound } from "../answers/pages.ts";
import { logUri, TASK_ID } from "./uris.ts";

/** The resource template of the logs of a job's tasks: `mcp://results/<job>/<task_id>/log`. */
export function logTemplate({ name, title, job }: RegisteredJob, tasks: Tasks): SurfaceTemplate {
  return {
    name: `${job.name} logs`,
    title: title && `${title}: logs`,
    description: `The last lines that a ${name} task has logged, while it runs and after its end`,
    uriTemplate: logUri({ job: job.name, id: TASK_ID }),
    mimeType: "text/plain",
    read: async ({ id, page }, owner) => {
      const task = await taskOfJob(tasks, job.name, id, owner);
      const uri = logUri(task);
      if (page !== undefined) throw new ResultPartNotFound(`${uri} has no pages: read it without ?page.`);
      return [{ uri, mimeType: "text/plain", text: textOf(await tasks.log(task)) }];
    },
  };
}

/** Lines as text, each with its time and its level, and its line breaks escaped. */
function textOf(lines: readonly LogLine[]): string {
  return lines.map(({ at, level, text }) => `${new Date(at).toISOString()} ${level} ${escaped(text)}\n`).join("");
}

function escaped(text: string): string {
  return text.replace(/\r\n|[\n\v\f\r\x85\u2028\u2029]/g, "\\n");
}
