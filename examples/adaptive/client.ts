/** Calls both jobs as four kinds of clients, all at once on one server, and shows what each of them gets. */
import { Child } from "../runner/child.ts";
import { roleCommand } from "../shared/role.ts";
import { printUpdate, type Update } from "../shared/update.ts";
import type { Arguments, Caller } from "./clients/caller.ts";
import { connectSdk1 } from "./clients/sdk1.ts";
import { connectSdk1Tasks } from "./clients/sdk1_tasks.ts";
import { connectSdk2 } from "./clients/sdk2.ts";
import { connectSdk2Tasks } from "./clients/sdk2_tasks.ts";

const CLIENTS: { readonly [name: string]: (url: URL) => Promise<Caller> } = {
  "SDK 1": connectSdk1,
  "SDK 1, tasks": connectSdk1Tasks,
  "SDK 2": connectSdk2,
  "SDK 2, tasks": connectSdk2Tasks,
};

const CALLS: readonly (readonly [job: string, args: Arguments])[] = [
  ["generate_report", { user_id: "42" }],
  ["rebuild_index", {}],
];

await runAll();

// A function, because a bundle loses an `await using` at the top level of a file.
async function runAll(): Promise<void> {
  await using server = new Child("server", roleCommand("adaptive", "server"), {}, "piped");
  const first = await server.lines().next();
  const url = new URL(String(first.value));
  await using open = new AsyncDisposableStack();
  const callers = await Promise.all(
    Object.entries(CLIENTS).map(async ([name, connect]) => [name, open.use(await connect(url))] as const),
  );
  await Promise.all(
    callers.flatMap(([name, caller]) => CALLS.map(([job, args]) => show(name, caller, job, args))),
  );
}

/** Runs a job to its result, and prints what the client gets on the way. */
async function show(client: string, caller: Caller, job: string, args: Arguments): Promise<void> {
  const began = performance.now();
  const print = (update: Update) => {
    const after = performance.now() - began;
    printUpdate({ ...update, call: { client, job, after } });
  };
  const onProgress = ({ progress, message }: Update) => print({ progress, message });
  for await (const update of caller.run(job, args, onProgress)) print(update);
}
