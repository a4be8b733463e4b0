/**
 * Builds what a server serves, once: registry + strategy + backend -> surface and tasks, all validated.
 *
 * @module
 */
import type { Audited } from "./audit_log.ts";
import { DefinitionError } from "../errors.ts";
import { AdaptiveExposureStrategy } from "../exposure/adaptive.ts";
import type { ExposureStrategy } from "../exposure/surface.ts";
import { merge } from "../exposure/merge.ts";
import { withDefaults } from "../tasks/limits.ts";
import { checkExtensions } from "../mcp/bind.ts";
import type { Served } from "../mcp/served.ts";
import { maxMessageBytes } from "../mcp/messages/message.ts";
import type { RegisteredJob } from "../registry.ts";
import { checkSchemas } from "../schema/schema.ts";
import type { ServerOptions } from "./options.ts";
import { Tasks } from "../tasks/tasks.ts";

/**
 * Builds what all clients are served, and validates it first. Rejects with `DefinitionError` if two tools have the same
 * name, a job hides an extension, or a job's JSON Schema is invalid.
 */
export async function buildServed(
  options: ServerOptions,
  jobs: readonly RegisteredJob[],
  strategies: ReadonlyMap<string, ExposureStrategy>,
  extensions: Served["extensions"],
  audited: Audited,
): Promise<Served> {
  const { name, version, title, instructions, strategy = new AdaptiveExposureStrategy(), limits, onError } = options;
  const tasks = new Tasks(options.backend, Date.now, { limits, ...audited, onError }, jobs);
  try {
    const surfaces = jobs.map((job) => {
      const surface = (strategies.get(job.name) ?? strategy).expose(job, tasks);
      if (job.answers === "model" && !surface.shared && !surface.answering) throw cannotAnswer(job);
      return surface;
    });
    const surface = merge(surfaces, tasks);
    const longest = maxMessageBytes(withDefaults(limits).inputBytes);
    const served = { name, version, title, instructions, surface, tasks, extensions, maxMessageBytes: longest };
    checkExtensions(served);
    // `defineJob` does not validate plain JSON Schema, because that takes ajv.
    for (const { name, job: { input, output } } of jobs) await checkSchemas({ name, input, output });
    return served;
  } catch (error) {
    tasks[Symbol.dispose]();
    throw error;
  }
}

function cannotAnswer({ name }: RegisteredJob): DefinitionError {
  return new DefinitionError(
    `Cannot let a model answer what ${name} asks: with its strategy, a client does not learn of the task while a call ` +
      'waits for it. Use another one, such as AdaptiveExposureStrategy, or leave `answers: "model"` out.',
  );
}
