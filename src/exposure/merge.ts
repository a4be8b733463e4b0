/**
 * Merges the surfaces of all jobs into the one of a server.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { sharedTools } from "./shared_tools/mod.ts";
import type { Surface } from "./surface.ts";

/** The surface of all jobs, with the tools that they share. Throws `DefinitionError` if two tools have the same name. */
export function merge(surfaces: readonly Surface[], all: Tasks): Surface {
  const shared = surfaces.flatMap((surface) => surface.shared ?? []);
  const tools = [...surfaces.flatMap((surface) => surface.tools), ...sharedTools(shared, all)];
  const names = tools.map((tool) => tool.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new DefinitionError(`Two tools would be named ${twice}: register one job under another name.`);
  }
  // A job that is registered under two names has one template for its results.
  const templates = new Map(surfaces.flatMap((surface) => surface.templates).map((one) => [one.uriTemplate, one]));
  const tasks = surfaces.flatMap((surface) => surface.tasks ?? []);
  return {
    tools,
    templates: [...templates.values()],
    ...(tasks.length > 0 && {
      tasks: {
        cancellable: tasks.flatMap((one) => one.cancellable),
        typed: tasks.flatMap((one) => one.typed),
        notifications: tasks.some((one) => one.notifications),
        cancelsQuestions: tasks.flatMap((one) => one.cancelsQuestions ?? []),
        answerTools: Object.assign({}, ...tasks.map((one) => one.answerTools)),
      },
    }),
  };
}
