/**
 * Merges the surfaces of all jobs into the one of a server.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { fits, MAX_PAYLOAD_BYTES, quote } from "../text.ts";
import { sharedTools } from "./shared_tools/mod.ts";
import type { Surface } from "./surface.ts";

/** What every client accepts as the name of a tool: Claude Desktop and Codex refuse others. */
const ACCEPTED_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * The surface of all jobs, with the tools that they share. Throws `DefinitionError` if two tools have the same name, or one
 * has a name that some clients refuse, or is too large to be listed.
 */
export function merge(surfaces: readonly Surface[], all: Tasks): Surface {
  const shared = surfaces.flatMap((surface) => surface.shared ?? []);
  const answering = surfaces.flatMap((surface) => surface.answering ?? []);
  const tools = [...surfaces.flatMap((surface) => surface.tools), ...sharedTools(shared, answering, all)];
  const names = tools.map((tool) => tool.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new DefinitionError(
      `Two tools would be named ${twice}: register one job under another name, and let its strategy use that in the ` +
        "name of each of its tools.",
    );
  }
  const refused = names.find((name) => !ACCEPTED_NAME.test(name));
  if (refused !== undefined) {
    const named = JSON.stringify(refused);
    throw new DefinitionError(
      `Cannot offer a tool named ${named}: some clients refuse names with anything but 1 to 64 letters, digits, "_" ` +
        'and "-". Pass another `name` to registerAsyncTool, or another prefix to the strategy.',
    );
  }
  const large = tools.find(({ name, title, description, inputSchema, outputSchema, annotations }) =>
    !fits({ name, title, description, inputSchema, outputSchema, annotations })
  );
  if (large) {
    throw new DefinitionError(
      `Cannot offer the tool ${quote(large.name)}: its description and schemas have more than ${MAX_PAYLOAD_BYTES} ` +
        "bytes as JSON, which no message can carry. Shorten them.",
    );
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
        forms: new Map(tasks.flatMap((one) => [...one.forms])),
        notifications: tasks.some((one) => one.notifications),
        cancelsQuestions: tasks.flatMap((one) => one.cancelsQuestions ?? []),
        answerTools: Object.assign({}, ...tasks.map((one) => one.answerTools)),
      },
    }),
  };
}
