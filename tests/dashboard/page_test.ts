/**
 * The live page in a real Chromium: one browser and one page for all cases, which follow one another as a person would.
 */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { SCHEDULE } from "../../src/schedules/schedule.ts";
import { declared, toText } from "../../src/schedules/schedule.ts";
import { noChromium, startChromium } from "../../tools/page/chromium.ts";
import { assert, assertEquals, assertMatch } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";
import { startSystem } from "./support/system.ts";

/** What Playwright waits for at most, in ms: a test machine may be slow. */
const TIMEOUT_MS = 120_000;

/** What axe-core finds wrong on the page as it is now, one line each. */
async function flaws(page: Page): Promise<readonly string[]> {
  // Not as an element of the page, which its policy would refuse.
  if (!await page.evaluate(() => Reflect.has(globalThis, "axe"))) await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    const { violations } = await Reflect.get(globalThis, "axe").run();
    return violations.flatMap(({ id, nodes }: { id: string; nodes: { html: string }[] }) =>
      nodes.map(({ html }) => `${id}: ${html}`)
    );
  });
}

/** What has the focus, as it is named. */
async function focused(page: Page): Promise<string> {
  return await page.evaluate(() => {
    const element = Reflect.get(globalThis, "document").activeElement;
    return element.getAttribute("aria-label") ?? element.textContent.trim();
  });
}

testUnless(noChromium, "the live page in Chromium", async (t) => {
  const backend = new MemoryBackend();
  await using system = await startSystem(backend);
  const browser = await startChromium();
  await using _ = { [Symbol.asyncDispose]: () => browser.close() };
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  page.setDefaultTimeout(TIMEOUT_MS);
  const requested = new Set<string>();
  const errors: string[] = [];
  page.on("request", (request) => void requested.add(new URL(request.url()).origin));
  page.on("pageerror", (error) => void errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const main = page.locator("main");
  const seen = (words: string | RegExp) => main.getByText(words).first().waitFor();
  const origin = new URL(system.url).origin;

  await t.step("the token leaves the address as soon as the page is opened", async () => {
    await page.goto(system.url);
    await page.getByText("Live", { exact: true }).waitFor();
    assertEquals(page.url(), `${origin}/#/overview`);
  });

  await t.step(
    "a task is watched from its start to its end: progress, timeline, log, input, and the image of its result",
    async () => {
      await page.getByRole("link", { name: "Tasks" }).click();
      await seen("No task fits.");
      const id = await system.start("draw_chart", { name: "first", months: 12 });
      await main.getByRole("link", { name: "draw_chart" }).click();
      assertEquals(page.url(), `${origin}/#/tasks/${id}`);
      await seen("half of it is drawn");
      await main.getByRole("progressbar").waitFor();
      await seen("Attempt 1 began");
      await seen("Step axes is done");
      await main.getByRole("log").getByText("The axes are drawn").waitFor();
      await main.getByRole("group", { name: "Input" }).getByText(/"months": 12/).waitFor();
      await seen("The task has not finished.");
      system.gates.open("first");
      await main.getByRole("heading", { name: "draw_chart Completed" }).waitFor();
      await main.getByRole("status").getByText("Status: completed").waitFor({ state: "attached" });
      await seen("Revenue by month");
      const picture = main.getByRole("img", { name: /image\/png/ });
      await picture.waitFor();
      assertEquals(await picture.evaluate((element) => Reflect.get(element, "naturalWidth")), 8);
      await main.locator(".timeline").getByText("Completed").waitFor();
      await main.locator(".timeline").getByText("Step axes is done").waitFor();
    },
  );

  await t.step(
    "a running task is cancelled, but only after a second question, and its signal aborts",
    async () => {
      const id = await system.start("draw_chart", { name: "second" });
      await page.goto(`${origin}/#/tasks/${id}`);
      await seen("half of it is drawn");
      const button = main.getByRole("button", { name: "Cancel" });
      await button.focus();
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      assertEquals([await focused(page), system.stopped.has("second")], ["Cancel", false]);
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      await page.locator("#note").getByText("The task is cancelled.").waitFor();
      await main.getByRole("heading", { name: "draw_chart Cancelled" }).waitFor();
      assert(system.stopped.has("second"));
      // Whoever is about to press Cancel when the task ends does not press Retry.
      assertEquals(await button.getAttribute("aria-disabled"), "true");
      await button.focus();
      await page.keyboard.press("Enter");
      assertEquals([await focused(page), await page.getByRole("dialog").count()], ["Cancel", 0]);
      assert(page.url().endsWith(id));
    },
  );

  await t.step("a failed task says why each attempt failed, and is retried as a new task that names it", async () => {
    const id = await system.start("flaky", {}, "you");
    await page.goto(`${origin}/#/tasks/${id}`);
    await main.getByRole("heading", { name: "flaky Failed" }).waitFor();
    await main.locator(".timeline").getByText("Attempt 1 of 2 failed: The mail server is down").waitFor();
    await main.getByRole("group", { name: "Error" }).getByText("The mail server is down").waitFor();
    await main.getByRole("button", { name: "Retry" }).click();
    await main.getByRole("link", { name: id }).waitFor();
    assert(!page.url().endsWith(id));
    await main.getByRole("link", { name: id }).click();
    await page.waitForURL(`**/#/tasks/${id}`);
  });

  await t.step("tasks are found by status, owner and id", async () => {
    const id = await system.start("draw_chart", { name: "third" });
    await page.getByRole("link", { name: "Tasks" }).click();
    const rows = main.locator("tbody tr");
    await rows.nth(4).waitFor();
    await page.getByLabel("Status").selectOption("Running");
    await page.waitForURL("**/#/tasks?status=RUNNING");
    await rows.nth(1).waitFor({ state: "detached" });
    assertMatch(await rows.first().innerText(), /Running\s+draw_chart/);
    system.gates.open("third");
    await seen("No task fits.");
    await page.getByLabel("Status").selectOption("All states");
    await page.getByLabel("Task id or owner").fill("you");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/#/tasks?owner=you");
    await rows.nth(2).waitFor({ state: "detached" });
    await rows.nth(1).waitFor(); // The old rows leave before the new ones come.
    assertEquals(await rows.count(), 2);
    await page.getByLabel("Task id or owner").fill(id);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/#/tasks/${id}`);
  });

  await t.step("a job is paused and resumed, and a task that waits for it runs then", async () => {
    await page.getByRole("link", { name: "Overview" }).click();
    await main.getByRole("button", { name: "Pause draw_chart" }).click();
    await seen("Paused");
    const id = await system.start("draw_chart", { name: "fourth" });
    await main.getByRole("link", { name: "1 Pending of draw_chart" }).waitFor();
    await main.getByRole("button", { name: "Resume draw_chart" }).click();
    await main.getByRole("link", { name: "1 Running of draw_chart" }).waitFor();
    await page.getByRole("link", { name: "Workers" }).click();
    await main.getByRole("link", { name: id }).waitFor();
    system.gates.open("fourth");
  });

  await t.step("a schedule is paused, resumed and removed", async () => {
    const times = { cron: "0 3 * * *", timeZone: "Europe/Berlin" };
    const declaration = { job: "draw_chart", owner: "finance", input: { name: "nightly" }, times, catchUp: true };
    await page.getByRole("link", { name: "Schedules" }).click();
    await seen("There is no schedule.");
    const text = toText(declared(declaration, undefined, Date.now()));
    await backend.documents.write(`${SCHEDULE}nightly`, undefined, text);
    await seen("0 3 * * * (Europe/Berlin)");
    await main.getByRole("button", { name: "Pause nightly" }).click();
    await seen("Paused");
    assertEquals((await backend.operator.schedules()).map(({ paused }) => paused), [true]);
    await main.getByRole("button", { name: "Resume nightly" }).click();
    await main.getByRole("button", { name: "Pause nightly" }).waitFor();
    await main.getByRole("button", { name: "Remove nightly" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await seen("There is no schedule.");
  });

  await t.step(
    "the keyboard reaches everything in order, and what has the focus keeps it while the page changes",
    async () => {
      await page.getByRole("link", { name: "Tasks" }).click();
      await main.locator("tbody tr").nth(4).waitFor();
      assertEquals(await page.evaluate(() => Reflect.get(globalThis, "document").activeElement.id), "main");
      await page.reload();
      await main.locator("tbody tr").nth(4).waitFor();
      const order: string[] = [];
      for (let step = 0; step < 11; step++) {
        await page.keyboard.press("Tab");
        order.push(await focused(page));
      }
      assertEquals(order.slice(0, 5), ["Skip to the content", "Overview", "Tasks", "Workers", "Schedules"]);
      assertEquals(order.slice(9), ["Search", "draw_chart"]);
      const first = page.url();
      const id = await system.start("flaky");
      await main.locator(`tr[data-key="${id}"]`).getByText("Failed").waitFor();
      assertEquals(await focused(page), "draw_chart");
      const outline = await page.evaluate(() => {
        const { document, getComputedStyle } = Object(globalThis);
        return getComputedStyle(document.activeElement).outlineStyle;
      });
      assertEquals(outline, "solid");
      await page.keyboard.press("Enter");
      await page.waitForURL(/tasks\/.+/);
      assert(page.url() !== first);
    },
  );

  await t.step("a filter that is chosen keeps the focus, and older tasks are on the next page", async () => {
    for (let task = 0; task < 60; task++) await system.start("nobody_runs_it");
    await page.goto(`${origin}/#/tasks`);
    await page.reload();
    const rows = main.locator("tbody tr");
    await rows.nth(49).waitFor();
    await page.getByLabel("Job").selectOption("nobody_runs_it");
    await page.getByLabel("Status").focus();
    await page.getByLabel("Status").selectOption("Pending");
    await page.waitForURL("**/#/tasks?job=nobody_runs_it&status=PENDING");
    assertEquals(await page.evaluate(() => Reflect.get(globalThis, "document").activeElement.name), "status");
    await main.getByRole("link", { name: "Older" }).click();
    await rows.nth(10).waitFor({ state: "detached" });
    assertEquals(await rows.count(), 10);
    await main.getByRole("link", { name: "Newest" }).click();
    await rows.nth(49).waitFor();
    for (let back = 0; back < 3; back++) await page.goBack();
    assertEquals(page.url(), `${origin}/#/tasks?job=nobody_runs_it`);
    await until(async () => await page.getByLabel("Status").inputValue() === "", "the field shows the address");
  });

  await t.step("a bar, and the options of a select, show changed values", async () => {
    const shown = await page.evaluate(async (path) => {
      const { h, patch } = await import(path);
      const select = (...names: string[]) =>
        h("select", {}, names.map((value) => h("option", { value }, `Job ${value}`)));
      const parent = h("div", {}, h("progress", { max: 100, value: 20 }), select("b", "c"));
      patch(parent, [h("progress", { max: 100, value: 80 }), select("a", "b", "c")]);
      const [bar, { options }] = parent.children;
      return { bar: bar.value, options: [...options].map(({ value, text }) => `${text} is ${value}`) };
    }, "/dom.js");
    assertEquals(shown, { bar: 80, options: ["Job a is a", "Job b is b", "Job c is c"] });
  });

  await t.step(
    "if the newest tasks do not match the filter but older ones may, the page does not say that there are none",
    async () => {
      const text = await page.evaluate(async (path) => {
        const { drawTasks } = await import(path);
        const shown = { view: "tasks", now: 0, tasks: [], nextCursor: "older", jobs: [] };
        return drawTasks(new URLSearchParams(), shown).map((node: { textContent: string }) => node.textContent).join();
      }, "/tasks.js");
      assertMatch(text, /None of the newest tasks fits, but older ones may/);
    },
  );

  await t.step("a chart names its maximum, even if that is zero", async () => {
    const said = await page.evaluate(async (path) => {
      const { chart } = await import(path);
      const labelOf = (value: number, ...values: number[]) => {
        const points = values.map((value, at) => ({ at, value }));
        const figure = chart({ title: "Failed", kind: "failed", unit: " / min", value, points });
        return figure.querySelector("svg").getAttribute("aria-label");
      };
      return [labelOf(0, 0, 0), labelOf(7, 3, 1)];
    }, "/charts.js");
    assertEquals(said, [
      "Failed: 0 / min now, at most 0 / min in the last hour",
      "Failed: 7 / min now, at most 7 / min in the last hour",
    ]);
  });

  await t.step(
    "a task that waits says what for: in the list what it asks, on its own page also its worker",
    async () => {
      const question = {
        message: "Refund 5 EUR?",
        schema: { type: "object", properties: {} },
        expiresIn: 3_600_000,
      } as const;
      const asks = defineJob({
        name: "asks",
        input: { type: "object" },
        parkAfter: 0,
        run: (_, ctx) => ctx.elicit(question),
      });
      await using worker = createWorker(backend, [asks]);
      await worker.ready;
      const id = await system.start("asks");
      await page.goto(`${origin}/#/tasks`);
      await main.locator(`tr[data-key="${id}"]`).getByText("asks: Refund 5 EUR?").waitFor();
      await page.goto(`${origin}/#/tasks/${id}`);
      await main.locator(".asks").getByText("Refund 5 EUR?").waitFor();
      assertEquals(await main.locator(".facts").getByText("Due").count(), 0);
      await backend.cancel(id, "me", 0);
      await page.goto(`${origin}/#/tasks/${await system.start("nobody_runs_it")}`);
      await seen("Waiting: no worker for nobody_runs_it is running. It starts as soon as one does.");
    },
  );

  await t.step("characters that change the direction of a question do not turn what stands behind it", async () => {
    const question = {
      message: "\u202e(abc)",
      schema: { type: "object", properties: {} },
      expiresIn: 3_600_000,
    } as const;
    const asks = defineJob({ name: "asks", input: { type: "object" }, run: (_, ctx) => ctx.elicit(question) });
    await using worker = createWorker(backend, [asks]);
    await worker.ready;
    const id = await system.start("asks");
    await page.goto(`${origin}/#/tasks/${id}`);
    await main.locator(".asks time").waitFor();
    const [message, expires] = await Promise.all(
      [".asks strong", ".asks time"].map((part) => main.locator(part).boundingBox()),
    );
    assert(message && expires && message.x < expires.x);
    await backend.cancel(id, "me", 0);
  });

  await t.step("a task that is kept for longer than a date can say is shown all the same", async () => {
    const retry = { attempts: 1, delay: 1, maxDelay: 1 };
    const task = { job: "flaky", owner: "me", input: {}, resultTtl: Number.MAX_SAFE_INTEGER, retry };
    const { id } = await backend.create({ ...task, id: newTaskId() });
    await page.goto(`${origin}/#/tasks/${id}`);
    await main.getByRole("heading", { name: "flaky Failed" }).waitFor();
  });

  await t.step("an input that cannot be read is read again, and never twice at once", async () => {
    let reads = 0;
    const again = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    await page.route("**/input", async (route) => {
      if (++reads === 1) return await route.abort();
      again.resolve();
      await answered.promise;
      await route.continue();
    });
    const id = await system.start("nobody_runs_it", { months: 3 });
    await page.goto(`${origin}/#/tasks/${id}`);
    await main.getByRole("alert").waitFor();
    await again.promise;
    await page.evaluate(async () => {
      const { Event, dispatchEvent, requestAnimationFrame } = Object(globalThis);
      for (let frame = 0; frame < 5; frame++) {
        dispatchEvent(new Event("redraw"));
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    });
    answered.resolve();
    await seen(/"months": 3/);
    assertEquals(reads, 2);
    await page.unroute("**/input");
    // That the first reading failed is expected.
    errors.length = 0;
  });

  await t.step("a page whose server ends says so, and goes on once it is back", async () => {
    await system.endPage();
    await page.getByText("Connection lost, trying again…").waitFor();
    await system.servePage();
    await page.getByText("Live", { exact: true }).waitFor();
    // That its requests failed meanwhile is expected.
    errors.length = 0;
  });

  await t.step("the overview says which jobs have tasks that could run, but no worker", async () => {
    await page.getByRole("link", { name: "Overview" }).click();
    await main.getByRole("row", { name: /^nobody_runs_it No worker/ }).waitFor();
    assertEquals(await main.getByText("No worker").count(), 1);
  });

  await t.step(
    "axe finds nothing wrong, in the light and in the dark, and all fits on a screen of 400 px",
    async () => {
      await backend.operator.pause("flaky"); // "Resume" is the wider button.
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width: colorScheme === "dark" ? 400 : 1200, height: 900 });
        for (const view of ["overview", "tasks", "workers", "schedules", `tasks/${await system.start("flaky")}`]) {
          await page.goto(`${origin}/#/${view}`);
          await main.getByText("Loading…").first().waitFor({ state: "detached" });
          assertEquals(await flaws(page), [], `${view}, ${colorScheme}`);
          // A table that is too wide scrolls, and hides its buttons.
          const tooWide = await page.evaluate(() => {
            const document = Reflect.get(globalThis, "document");
            const boxes = [document.documentElement, ...document.querySelectorAll(".wide")];
            return boxes.flatMap(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth ? scrollWidth : []);
          });
          assertEquals(tooWide, [], `${view}, ${colorScheme}`);
        }
      }
    },
  );

  await t.step("nothing was requested from elsewhere, and nothing went wrong", () => {
    assertEquals([[...requested], errors], [[origin], []]);
  });

  await t.step("a page in the background reads nothing until somebody sees it", async () => {
    const other = await browser.newPage();
    const reads: string[] = [];
    other.on("request", (request) => request.url().includes("/api/") && reads.push(request.url()));
    await other.addInitScript(() =>
      Object.defineProperty(Object(globalThis).document, "hidden", { value: true, configurable: true })
    );
    await other.goto(system.url);
    await other.locator("main").getByText("Loading…").first().waitFor();
    assertEquals(reads, []);
    await other.evaluate(() => {
      const { document, Event } = Object(globalThis);
      Object.defineProperty(document, "hidden", { value: false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await other.getByText("Live", { exact: true }).waitFor();
    await other.close();
  });

  await t.step("without the token there is no access, and with it there is, also in the same tab", async () => {
    const other = await browser.newPage();
    await other.goto(`${origin}/#token=wrong`);
    await other.getByRole("heading", { name: "No access" }).waitFor();
    await other.goto(system.url);
    await other.getByText("Live", { exact: true }).waitFor();
    assertEquals(other.url(), `${origin}/#/overview`);
    await other.close();
  });
});
