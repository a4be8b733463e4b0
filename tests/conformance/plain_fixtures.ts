/**
 * The plain tools, prompts and resources that the required suites want: what a user adds through the official SDK's own
 * API, beside jobs. They show that nothing of it is lost on the way through ours.
 *
 * @module
 */
import { acceptedContent, inputRequired, type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { AsyncToolServer } from "../../mod.ts";

/** A red pixel. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/** No sound at all. */
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const text = (text: string) => ({ type: "text" as const, text });
const image = { type: "image" as const, data: PNG, mimeType: "image/png" };
const embedded = (uri: string, mimeType: string, text: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType, text },
});

/** Adds them. */
export function addPlainFixtures(server: AsyncToolServer): void {
  server.extend(addContentTools);
  server.extend(addTalkingTools);
  server.extend(addResources);
  server.extend(addPrompts);
}

function addContentTools(mcp: McpServer): void {
  const tools = {
    test_simple_text: [text("This is a simple text response for testing.")],
    test_image_content: [image],
    test_audio_content: [{ type: "audio" as const, data: WAV, mimeType: "audio/wav" }],
    test_embedded_resource: [
      embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
    ],
    test_multiple_content_types: [
      text("Multiple content types test:"),
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  };
  for (const [name, content] of Object.entries(tools)) {
    mcp.registerTool(name, { description: "Returns its content" }, () => ({ content }));
  }
  mcp.registerTool("test_error_handling", { description: "Fails" }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
}

function addTalkingTools(mcp: McpServer): void {
  mcp.registerTool("test_tool_with_progress", { description: "Tells of its progress" }, async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      await ctx.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken: progressToken ?? "", progress, total: 100 },
      });
    }
    return { content: [text("Done.")] };
  });
  mcp.registerTool(
    "test_elicitation",
    { description: "Asks the user", inputSchema: z.object({ message: z.string() }) },
    async ({ message }, ctx) => {
      const answer = await ctx.mcpReq.elicitInput({
        message,
        requestedSchema: {
          type: "object",
          properties: { username: { type: "string" }, email: { type: "string" } },
          required: ["username", "email"],
        },
      });
      return { content: [text(`User response: ${JSON.stringify(answer)}`)] };
    },
  );
  const name = z.object({ name: z.string() });
  mcp.registerTool("test_input_required_result_elicitation", { description: "Asks for a name" }, (ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "user_name", name);
    if (given) return { content: [text(`Hello, ${given.name}!`)] };
    return inputRequired({
      inputRequests: {
        user_name: inputRequired.elicit({
          message: "What is your name?",
          requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
        }),
      },
    });
  });
}

function addResources(mcp: McpServer): void {
  mcp.registerResource("static text", "test://static-text", { mimeType: "text/plain" }, ({ href: uri }) => ({
    contents: [{ uri, mimeType: "text/plain", text: "This is the content of the static text resource." }],
  }));
  mcp.registerResource("static binary", "test://static-binary", { mimeType: "image/png" }, ({ href: uri }) => ({
    contents: [{ uri, mimeType: "image/png", blob: PNG }],
  }));
  const template = new ResourceTemplate("test://template/{id}/data", { list: undefined });
  mcp.registerResource("template", template, { mimeType: "application/json" }, ({ href: uri }, { id }) => ({
    contents: [{
      uri,
      mimeType: "application/json",
      text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
    }],
  }));
}

function addPrompts(mcp: McpServer): void {
  const user = <Content>(content: Content) => ({ role: "user" as const, content });
  mcp.registerPrompt("test_simple_prompt", { description: "Says one thing" }, () => ({
    messages: [user(text("This is a simple prompt for testing."))],
  }));
  mcp.registerPrompt("test_prompt_with_arguments", {
    description: "Says what it is given",
    argsSchema: z.object({ arg1: z.string(), arg2: z.string() }),
  }, ({ arg1, arg2 }) => ({ messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }));
  mcp.registerPrompt("test_prompt_with_embedded_resource", {
    description: "Embeds a resource",
    argsSchema: z.object({ resourceUri: z.string() }),
  }, ({ resourceUri }) => ({
    messages: [
      user(embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
      user(text("Please process the embedded resource above.")),
    ],
  }));
  mcp.registerPrompt("test_prompt_with_image", { description: "Shows an image" }, () => ({
    messages: [user(image), user(text("Please analyze the image above."))],
  }));
}
