/**
 * Takes the screenshots of the live page for the documentation, in Chromium: `deno task page:screenshots`. The tasks are real
 * ones, run by a worker in memory, and so are those of the charts, whose hour takes some seconds.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { type Backend, content, createWorker, defineJob, image, type Json, MemoryBackend, text } from "../../mod.ts";
import { answer } from "../../src/dashboard/handler.ts";
import { Histories } from "../../src/dashboard/history/histories.ts";
import { Samples, SPAN_MS } from "../../src/dashboard/samples.ts";
import { newTaskId } from "../../src/ids.ts";
import { startChromium } from "./chromium.ts";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const HOUR_MS = 3_600_000;
const input = { type: "object", properties: {} } as const;

/** A bar for each month, as SVG. */
const BARS = `<svg xmlns="http://www.w3.org/2000/svg" width="520" height="180" viewBox="0 0 520 180">
<rect width="520" height="180" fill="#fff"/>
${
  [62, 75, 58, 90, 104, 97, 120, 131, 118, 140, 152, 149].map((height, month) =>
    `<rect x="${16 + month * 41}" y="${165 - height}" width="28" height="${height}" rx="3" fill="#4f5bd5"/>`
  ).join("")
}</svg>`;

const JOBS = [
  defineJob({
    name: "generate_report",
    input,
    run: async (_, ctx) => {
      await ctx.step("load orders", () => 4_211);
      await ctx.log("4,211 orders loaded");
      await ctx.step("load refunds", () => 87);
      await ctx.log("warning", "3 orders have no currency, EUR is assumed");
      await ctx.progress(0.64, "month 8 of 12");
      await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
    },
  }),
  defineJob({
    name: "draw_chart",
    input,
    run: () =>
      content(
        [text("Revenue by month, in thousands of euros"), image(new TextEncoder().encode(BARS), "image/svg+xml")],
        {
          structuredContent: { months: 12, total: 1_296 },
        },
      ),
  }),
  defineJob({
    name: "send_mail",
    input,
    run: async (value) => {
      await span.promise;
      if (Object(value).bounces) throw new Error("The mail server refused the recipient");
      return { sent: true };
    },
  }),
  defineJob({
    name: "approve_invoice",
    input,
    run: (_, ctx) =>
      ctx.elicit({ message: "Pay invoice 4711 over 1,200 euros?", schema: { type: "object", properties: {} } }),
  }),
];

/** How many tasks the worker runs at once. */
const CONCURRENCY = 8;

/** A mail takes one span of the hour, and so the worker sends as many mails in each as it does at once. */
let span = Promise.withResolvers<void>();

/** An hour in which more mails come at times than the worker sends, and all bounce for some minutes. */
async function spendHour(backend: Backend, samples: Samples, begin: number): Promise<void> {
  const spans = HOUR_MS / SPAN_MS;
  for (let number = 1; number <= spans; number++) {
    const share = number / spans;
    const wave = (frequency: number) => 0.5 - 0.5 * Math.cos(2 * Math.PI * frequency * share);
    const mails = Math.round(2 + 7 * wave(3) + 4 * wave(29));
    const bounces = share > 0.62 && share < 0.66;
    for (let mail = 0; mail < mails; mail++) {
      await start(backend, "send_mail", `customer_${mail % 7}`, { to: `${number}-${mail}@example.com`, bounces });
    }
    span.resolve();
    span = Promise.withResolvers();
    await new Promise((resolve) => setTimeout(resolve, 10)); // The worker has taken the next ones by then.
    samples.sample(await backend.operator.counts(), begin + number * SPAN_MS);
  }
}

async function start(backend: Backend, job: string, owner: string, input: Json = {}): Promise<string> {
  const retry = { attempts: 2, delay: 20, maxDelay: 20 };
  return (await backend.create({ id: newTaskId(), job, owner, input, resultTtl: HOUR_MS * 24, retry })).id;
}

await using backend = new MemoryBackend();
const { operator } = backend;
const histories = new Histories();
const begin = Date.now() - HOUR_MS;
const samples = new Samples(begin);
backend.watch((event) => {
  histories.observe(event);
  samples.observe(event);
});
const worker = createWorker(backend, JOBS, { concurrency: CONCURRENCY, grace: 0, onError: () => {} });
await worker.ready;
await spendHour(backend, samples, begin);
const draws = await start(backend, "draw_chart", "finance", { year: 2026 });
await start(backend, "approve_invoice", "finance", { invoice: 4711 });
// The rest of the mails is sent at once.
const send = setInterval(() => {
  span.resolve();
  span = Promise.withResolvers();
}, 10);
while (
  (await operator.counts()).some(({ job, counts }) =>
    job === "send_mail" && counts.PENDING + counts.RUNNING + counts.RETRYING > 0
  )
) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
clearInterval(send);
await operator.pause("send_mail");
for (let waiting = 0; waiting < 3; waiting++) await start(backend, "send_mail", `customer_${waiting}`);
const report = await start(backend, "generate_report", "finance", { from: "2026-01-01", to: "2026-12-31" });
for (let waiting = 0; waiting < 3; waiting++) await start(backend, "generate_report", `customer_${waiting}`);

const served = { backend, operator, histories, samples, streams: new Set<never>(), token: "token" };
const over = new AbortController();
const server = Deno.serve(
  { port: 0, hostname: "127.0.0.1", signal: over.signal, onListen: () => {} },
  (request): Promise<Response> => answer(request, server.addr.port, { ...served, streams: new Set() }),
);
const origin = `http://127.0.0.1:${server.addr.port}`;
const browser = await startChromium();
await Deno.mkdir(FOLDER, { recursive: true });
const shots = [
  { name: "overview", view: "overview", colorScheme: "light", width: 1100, height: 640 },
  { name: "task", view: `tasks/${report}`, colorScheme: "dark", width: 1100, height: 920 },
  { name: "result", view: `tasks/${draws}`, colorScheme: "light", width: 1100, height: 900 },
  { name: "phone", view: "tasks", colorScheme: "light", width: 400, height: 780 },
] as const;
for (const { name, view, colorScheme, width, height } of shots) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(`${origin}/#token=token`);
  await page.locator("tbody tr").first().waitFor();
  await page.goto(`${origin}/#/${view}`);
  await page.locator("main h1").waitFor();
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
  await page.getByText("Live", { exact: true }).waitFor();
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  await page.close();
}
await browser.close();
over.abort();
await server.finished;
await worker.close(0);
