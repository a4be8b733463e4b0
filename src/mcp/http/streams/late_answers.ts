/**
 * The responses to calls that wait for their job.
 *
 * @module
 */
import { doneWithin } from "../../../waiting.ts";
import { AnswerStream } from "./answer_stream.ts";
import { eventsOf, newestProgress } from "./newest_progress.ts";

/** How long the response waits for the answer before it begins as a stream, in ms. */
const SOON_MS = 100;

/** How often a comment is sent, in ms. */
const KEEP_ALIVE_MS = 15_000;

/** As the SDK sends them. */
const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  connection: "keep-alive",
  "x-accel-buffering": "no",
};

/**
 * Sends an answer that is there soon as it is, and a later one on an event stream. Its client ends a call by closing that
 * stream (Streamable HTTP, "Cancellation"), so it is opened before the answer is there. Comments keep it alive.
 */
export class LateAnswers {
  readonly #waiting = new Set<AnswerStream>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `sent` is called once all is sent, or the client is gone; `gone` if it has closed the stream before. */
  async respond(answer: Promise<Response>, sent: () => void, gone: () => void): Promise<Response> {
    if (await doneWithin(answer, SOON_MS)) return newestProgress(await answer, sent);
    const stream = new AnswerStream({ sent, gone });
    this.#waiting.add(stream);
    this.#timer ??= setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
    answer.then((response) => this.#send(response, stream)).catch((error) => stream.end({ error }))
      .finally(() => this.#forget(stream));
    return new Response(stream.readable, { headers: HEADERS });
  }

  async #send(response: Response, stream: AnswerStream): Promise<void> {
    const events = eventsOf(response);
    if (events !== null) {
      this.#forget(stream); // The SDK sends comments on its own stream.
      return await stream.pass(events.getReader());
    }
    const answer = await response.text();
    // A call that was cut off has no answer.
    if (answer !== "") stream.push(new TextEncoder().encode(`event: message\ndata: ${answer}\n\n`));
    stream.end();
  }

  #keepAlive(): void {
    for (const stream of this.#waiting) stream.comment();
  }

  #forget(stream: AnswerStream): void {
    this.#waiting.delete(stream);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
