import { assertEquals, assertThrows } from "../tools/std.ts";
import { DefinitionError } from "../src/errors.ts";
import { defineJob } from "../src/job.ts";
import { ToolRegistry } from "../src/registry.ts";

const echo = defineJob({
  name: "echo",
  title: "Echo",
  description: "Says it again",
  input: { type: "object" },
  attempts: 5,
  timeout: 100,
  run: (input) => input,
});

Deno.test("a job is registered under its own name, with the documented defaults", () => {
  const registry = new ToolRegistry();
  const registered = registry.register(echo);
  assertEquals(registry.get("echo"), registered);
  assertEquals(registered.job, echo);
  const { name, title, description, cancel, resultTtl, policy } = registered;
  assertEquals([name, title, description], ["echo", "Echo", "Says it again"]);
  assertEquals([cancel, resultTtl], [true, 3_600_000]);
  assertEquals(policy, { attempts: 5, timeout: 100 });
});

Deno.test("a registration overrides some of the job's options, and keeps the others", () => {
  const options = { name: "say", title: "Say", description: "Speaks", cancel: false, resultTtl: 5, timeout: 7 };
  const registered = new ToolRegistry().register(echo, options);
  assertEquals([registered.name, registered.title, registered.description], ["say", "Say", "Speaks"]);
  assertEquals([registered.cancel, registered.resultTtl], [false, 5]);
  assertEquals(registered.policy, { attempts: 5, timeout: 7 });
});

Deno.test("an option that is undefined overrides nothing", () => {
  const { name, cancel, policy } = new ToolRegistry().register(echo, {
    name: undefined,
    cancel: undefined,
    attempts: undefined,
    timeout: undefined,
  });
  assertEquals([name, cancel, policy], ["echo", true, { attempts: 5, timeout: 100 }]);
});

Deno.test("a name can be registered once, and a job can have two names", () => {
  const registry = new ToolRegistry();
  registry.register(echo);
  assertThrows(() => registry.register(echo), DefinitionError, "Cannot register echo twice");
  registry.register(echo, { name: "again" });
  assertEquals(registry.list().map(({ name }) => name), ["echo", "again"]);
});

Deno.test("a job has the same `cancel` under all its names", () => {
  const registry = new ToolRegistry();
  registry.register(echo, { cancel: false });
  const said = "Cannot register again with `cancel: true`: echo has the same job with `cancel: false`";
  assertThrows(() => registry.register(echo, { name: "again" }), DefinitionError, said);
  registry.register(echo, { name: "again", cancel: false });
  assertEquals(registry.list().length, 2);
});

Deno.test("names of built-in object properties are unknown until they are registered", () => {
  const registry = new ToolRegistry();
  for (const name of ["__proto__", "constructor", "toString"]) {
    assertEquals(registry.get(name), undefined);
    registry.register(echo, { name });
    assertEquals(registry.get(name)?.job, echo);
  }
});

Deno.test("an invalid name or option is refused, and nothing is registered", () => {
  const registry = new ToolRegistry();
  assertThrows(() => registry.register(echo, { name: "a b" }), DefinitionError, "a b");
  assertThrows(() => registry.register(echo, { resultTtl: 0 }), DefinitionError, "0 as resultTtl");
  assertThrows(() => registry.register(echo, { attempts: 0 }), DefinitionError, "0 as attempts");
  assertEquals(registry.list(), []);
});

Deno.test("a contract can be routed to a queue of others, under the name that its workers know", () => {
  const registry = new ToolRegistry();
  const contract = defineJob({ name: "resize", input: { type: "object" } });
  assertEquals(registry.register(contract).route, undefined);
  const route = registry.register(contract, { name: "resize_2", queue: "images", jobName: "resize-image" }).route;
  assertEquals(route, { queue: "images", jobName: "resize-image" });
  assertEquals(registry.register(contract, { name: "resize_3", queue: "images" }).route, {
    queue: "images",
    jobName: "resize",
  });
});

Deno.test("an impossible route is refused: code that would not run, a name that BullMQ refuses, or no queue", () => {
  const registry = new ToolRegistry();
  const withCode = defineJob({ name: "resize", input: { type: "object" }, run: () => "done" });
  const contract = defineJob({ name: "resize", input: { type: "object" } });
  assertThrows(() => registry.register(withCode, { queue: "images" }), DefinitionError, "has code");
  assertThrows(() => registry.register(contract, { queue: "bull:images" }), DefinitionError, "images");
  assertThrows(() => registry.register(contract, { queue: "" }), DefinitionError, "it must not be empty");
  assertThrows(() => registry.register(contract, { jobName: "resize-image" }), DefinitionError, "queue");
});
