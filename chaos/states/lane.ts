/** The processes of one lane, a worker and a client with its server, any of which may be killed and is replaced. */
import { type Note, parseNote } from "../approval/notes.ts";
import { WorkerProcess } from "../processes.ts";
import type { Asked } from "./client.ts";
import { ClientProcess } from "./client_process.ts";

/** Whoever is killed. */
export const VICTIMS = ["worker", "server", "client"] as const;
export type Victim = typeof VICTIMS[number];

/** A lane. No worker of another takes its tasks. */
export class Lane implements AsyncDisposable {
  readonly name: string;
  /** What the code of its tasks has noted. */
  readonly notes: Note[] = [];
  /** What its clients were asked. */
  readonly asked: Asked[] = [];
  readonly #args: readonly string[];
  #worker: Promise<WorkerProcess>;
  #client: ClientProcess;
  #changed = Promise.withResolvers<void>();

  /** Starts its processes. `place` is the backend's name and the folder. */
  constructor(name: string, place: readonly string[]) {
    this.name = name;
    this.#args = [...place, name];
    this.#worker = this.#startWorker();
    this.#client = this.#startClient();
  }

  /** The client that is there now. */
  get client(): ClientProcess {
    return this.#client;
  }

  /** Resolves once the code of a task has stood at a point. */
  stood(number: number, point: string): Promise<void> {
    return this.#until(() => this.notes.some((note) => note.number === number && note.name === point));
  }

  /** Resolves once a client was asked the question of a task. */
  wasAsked(number: number): Promise<void> {
    return this.#until(() => this.asked.some((one) => one.number === number));
  }

  /** Kills one of its processes with SIGKILL, and starts it again. */
  async kill(victim: Victim): Promise<void> {
    if (victim === "server") return await this.#client.killServer();
    if (victim === "client") {
      await this.#client.kill();
      this.#client = this.#startClient();
      return;
    }
    await (await this.#worker).kill();
    await (this.#worker = this.#startWorker());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#client.stop(), this.#worker.then((worker) => worker.stop())]);
  }

  #startClient(): ClientProcess {
    return new ClientProcess(this.#args, (asked) => {
      this.asked.push(asked);
      this.#change();
    });
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#changed.promise;
  }

  #startWorker(): Promise<WorkerProcess> {
    const onLine = (line: string) => {
      const note = parseNote(line);
      if (note === undefined) return;
      this.notes.push(note);
      this.#change();
    };
    return WorkerProcess.start(this.#args, { worker: "states/worker", onLine });
  }
}
