/**
 * The transport of an official client to a server on stdio, a fixture or another, that runs in the test's process: the SDK's own starts
 * a process, which `clients_test.ts` does.
 *
 * @module
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { lines } from "../../../chaos/lines.ts";
import type { AsyncToolServer } from "../../../mod.ts";
import { type InPlaceOptions, runInPlace } from "../../mcp/support/program.ts";
import { fixtureServer, type StrategyName } from "./fixture.ts";

export class InPlaceTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #program;
  readonly #stdin;
  #closed: Promise<void> | undefined;

  constructor(server: StrategyName | AsyncToolServer, options?: InPlaceOptions) {
    this.#program = runInPlace(typeof server === "string" ? fixtureServer(server) : server, options);
    this.#stdin = this.#program.stdin.getWriter();
  }

  start(): Promise<void> {
    this.#read().catch((error) => this.onerror?.(error));
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    return this.#stdin.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#stdin.close();
    await this.#program.status;
    this.onclose?.();
  }

  async #read(): Promise<void> {
    for await (const line of lines(this.#program.stdout)) this.onmessage?.(JSON.parse(line));
  }
}
