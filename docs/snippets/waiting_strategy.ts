import {
  callResult,
  type ExposureStrategy,
  type RegisteredJob,
  resultForm,
  resultOrHandle,
  resultTemplate,
  type Surface,
  type Tasks,
  waitForCall,
  withoutAsked,
} from "@mcp-jobs/mcp-jobs/strategy";

/** Gives each job one tool, whose call waits for the result, and keeps the results as resources. */
export class WaitingStrategy implements ExposureStrategy {
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const { name, title, description, job, askFor } = registered;
    const form = resultForm(registered);
    return {
      tools: [{
        name,
        title,
        description: `${description}\n\nMay take minutes, and answers when it is done.`,
        inputSchema: withoutAsked(job.inputSchema, askFor),
        // A result that is too large for one answer is a handle, which the schema has to allow.
        outputSchema: job.outputSchema && resultOrHandle(job.outputSchema),
        annotations: job.annotations,
        askFor,
        call: (input, ctx) =>
          waitForCall(registered, tasks, ctx, () => tasks.start(registered, input, ctx.owner), async (task) => {
            const ended = await tasks.finish(task, ctx.signal, ctx.onChange);
            return { kind: "result", result: callResult(ended, await tasks.outcome(ended), form) };
          }),
      }],
      templates: [resultTemplate(registered, tasks)],
    };
  }
}
