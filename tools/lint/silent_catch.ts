/**
 * A rule of `deno lint`: code of `src/`, but not of the conformance kit, that swallows an error either reports it or has a comment that says why nobody has to
 * know. It swallows one where it catches an error, looks at nothing of it, and throws nothing: in `catch`, `.catch(…)`,
 * `.then(…, …)` and `.on("error", …)`, and where nobody looks at the results of `Promise.allSettled`.
 *
 * @module
 */

const ADVICE = "Report it to `onError`, or say in a comment why nobody has to know.";

const rule: Deno.lint.Rule = {
  create(ctx) {
    if (!/[\\/]src[\\/](?!testing[\\/])/.test(ctx.filename)) return {};
    const { text } = ctx.sourceCode;
    const lineOf = (at: number) => text.slice(0, at).split("\n").length;
    const report = (node: Deno.lint.Node) => {
      const last = lineOf(node.range[1]);
      const above = [node, statementOf(node)].map(({ range: [start] }) => lineOf(start) - 1);
      const says = ({ range: [start, end] }: Deno.lint.LineComment | Deno.lint.BlockComment) =>
        // Within the handler, or behind it, or right above its line or its statement.
        start >= node.range[0] && lineOf(start) <= last || above.includes(lineOf(end)) && isOwnLine(text, start);
      if (ctx.sourceCode.getAllComments().some(says)) return;
      ctx.report({ node, message: `This swallows an error. ${ADVICE}` });
    };
    const check = (handler: Deno.lint.Node | undefined, whole: Deno.lint.Node) => {
      if (handler?.type !== "ArrowFunctionExpression" && handler?.type !== "FunctionExpression") return;
      if (handler.body && isSilent(handler.params[0], handler.body, text)) report(whole);
    };
    return {
      CatchClause(node) {
        if (isSilent(node.param ?? undefined, node.body, text)) report(node);
      },
      CallExpression(node) {
        const { arguments: args } = node;
        const callee = node.callee.type === "ChainExpression" ? node.callee.expression : node.callee; // As `a?.b()`.
        if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return;
        const { name } = callee.property;
        if (name === "catch") check(args[0], node);
        if (name === "then") check(args[1], node);
        const [event] = args;
        if ((name === "on" || name === "once") && event?.type === "Literal" && event.value === "error") {
          check(args[1], node);
        }
        const { parent } = node;
        const dropped = parent.type === "AwaitExpression" && parent.parent.type === "ExpressionStatement";
        if (name === "allSettled" && (dropped || parent.type === "ExpressionStatement")) report(node);
      },
    };
  },
};

/** Whether a handler ignores its error and throws nothing. */
function isSilent(param: Deno.lint.Parameter | undefined, body: Deno.lint.Node, text: string): boolean {
  const code = text.slice(...body.range).replace(/\/\/.*$|\/\*[^]*?\*\//gm, "");
  if (/\bthrow\b/.test(code)) return false;
  if (param === undefined) return true;
  // A destructured error is used.
  return param.type === "Identifier" && !new RegExp(`(?<![\\w$.])${param.name}(?![\\w$])`).test(code);
}

/** The statement that contains a node. */
function statementOf(node: Deno.lint.Node): Deno.lint.Node {
  let at: Deno.lint.Node = node;
  while (!/Statement$|Declaration$|^PropertyDefinition$/.test(at.type) && "parent" in at && at.parent) {
    at = at.parent as Deno.lint.Node;
  }
  return at;
}

/** Whether nothing but space stands before this place in its line. */
function isOwnLine(text: string, at: number): boolean {
  return text.slice(text.lastIndexOf("\n", at - 1) + 1, at).trim() === "";
}

const plugin: Deno.lint.Plugin = { name: "mcp-jobs", rules: { "silent-catch": rule } };

export default plugin;
