/** docs/telemetry.md and the compose file of examples/telemetry, compared with the code and with examples/deploy. */
import { parse } from "yaml";
import { TAKE_OVER } from "../../src/backends/shared/texts.ts";
import { RUN_A_JOB, RUN_A_KEY_FUNCTION } from "../../src/log/on_error.ts";
import { GAUGES } from "../../src/telemetry/gauges.ts";
import { EVENTS, type Metric } from "../../src/telemetry/events.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";

const ROOT = new URL("../../", import.meta.url);
const readFile = (path: string) => Deno.readTextFile(new URL(path, ROOT));
const page = await readFile("docs/telemetry.md");

/** A metric as the page has it. */
const row = ({ name, kind, unit, description, attributes }: Metric) => [
  `\`${name}\``,
  kind,
  `\`${unit}\``,
  description,
  attributes.map((attribute) => `\`${attribute}\``).join(", "),
];

Deno.test("docs/telemetry.md lists every metric with its unit and its attributes, and no other", () => {
  const [, table = ""] = /^\| Metric .*\n\|.*\n((?:\|.*\n)+)/m.exec(page) ?? [];
  const rows = table.trimEnd().split("\n").map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assertEquals(rows, [...Object.values(EVENTS), ...Object.values(GAUGES)].map(row));
});

Deno.test("the alerts of the docs name places of errors that exist, and do not fire when the code of a job throws", async () => {
  const { alerts = "" } =
    /### What to alert on\n(?<alerts>.*?)\n###/s.exec(await readFile("docs/operations.md"))?.groups ?? {};
  const places = [...alerts.matchAll(/where: "([^"]+)"/g)].map(([, where]) => where ?? "");
  assertEquals(places, ["renew the lease of a worker", "renew the locks of jobs", TAKE_OVER, RUN_A_JOB]);
  assertStringIncludes(await readFile("src/backends/shared/claiming/lease.ts"), `"${places[0]}"`);
  assertStringIncludes(await readFile("src/backends/bullmq/worker/mod.ts"), `"${places[1]}"`);
  const others = [RUN_A_JOB, RUN_A_KEY_FUNCTION].map((where) => `mcp_jobs_error_where!="${where}"`).join(",");
  assertStringIncludes(page, `mcp_jobs_errors_total{${others}}[5m]`);
});

Deno.test("no metric has an attribute that names an owner, a task or anything that it holds", () => {
  const known = [...Object.values(EVENTS), ...Object.values(GAUGES)].flatMap((metric): readonly string[] =>
    metric.attributes
  );
  assertEquals(known.filter((attribute) => /owner|user|\bid\b|message\.id|input|result|principal/.test(attribute)), []);
});

Deno.test("docs/telemetry.md names every attribute of a span", async () => {
  const files = [
    "src/telemetry/spans.ts",
    "src/telemetry/task_spans.ts",
    "src/telemetry/metrics.ts",
    "src/mcp/tools/call_span.ts",
    "src/mcp/messages/request_time.ts",
    "src/mcp/messages/sent_span.ts",
  ];
  const [, spans = ""] = page.split("\n## Spans\n");
  for (const file of files) {
    const names = (await readFile(file)).matchAll(
      /"((?:mcp|mcp_jobs|messaging|gen_ai|jsonrpc|network|error|rpc)\.[a-z_.]+)"/g,
    );
    for (const [, name = ""] of names) {
      const isMetric = Object.values(EVENTS).some((metric) => metric.name === name);
      if (!isMetric) assertStringIncludes(spans, `\`${name}\``, `${name} of ${file}`);
    }
  }
});

interface Service {
  readonly image?: string;
  readonly environment?: { readonly [name: string]: string };
  readonly command?: readonly string[];
  readonly deploy?: { readonly replicas?: number };
}

Deno.test("the compose file of examples/telemetry lets each service of examples/deploy export to its collector", async () => {
  const read = async (path: string): Promise<{ readonly services: Readonly<Record<string, Service>> }> =>
    parse(await readFile(path), { merge: true });
  const { services } = await read("examples/telemetry/compose.yaml");
  const { services: base } = await read("examples/deploy/compose.yaml");
  const deployed = Object.keys(base);
  const { collector, ...exporting } = services;
  assert(/:\d+\.\d+\.\d+$/.test(collector?.image ?? ""));
  assertEquals(Object.keys(exporting), ["server", "worker"]);
  for (const [name, { environment = {} }] of Object.entries(exporting)) {
    assert(deployed.includes(name));
    const { OTEL_DENO, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME } = environment;
    assertEquals([OTEL_DENO, OTEL_EXPORTER_OTLP_ENDPOINT], ["true", "http://collector:4318"]);
    assertEquals(OTEL_SERVICE_NAME, `reports-${name}`);
  }
  // Replicas share their environment, but need an instance id each.
  const replicated = Object.keys(base).filter((name) => base[name]?.deploy?.replicas);
  assertEquals(replicated, ["worker"]);
  for (const name of replicated) {
    const command = base[name]?.command?.join(" ");
    const withId = `OTEL_RESOURCE_ATTRIBUTES=service.instance.id=$$HOSTNAME exec deno ${command}`;
    assertEquals(services[name]?.command, ["sh", "-c", withId]);
  }
});
