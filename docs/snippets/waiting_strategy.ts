import {
  answerWithResult,
  type ExposureStrategy,
  type RegisteredJob,
  resultForm,
  resultTemplate,
  type Surface,
  type Tasks,
  waitingTool,
} from "@mcp-jobs/mcp-jobs/strategy";

/** Gives each job one tool, whose call waits for the result, and keeps the results as resources. */
export class WaitingStrategy implements ExposureStrategy {
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const form = resultForm(registered);
    const tool = waitingTool(registered, tasks, async (task, ctx) => {
      const ended = await tasks.finish(task, ctx.signal, ctx.onChange);
      return await answerWithResult(ended, tasks, form);
    });
    return {
      tools: [{ ...tool, description: `${tool.description}\n\nMay take minutes, and answers when it is done.` }],
      templates: [resultTemplate(registered, tasks)],
    };
  }
}
