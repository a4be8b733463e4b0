/**
 * The responses to calls that wait for their job.
 *
 * @module
 */
import { AnswerStream } from "./answer_stream.ts";
import { eventsOf } from "./events_of.ts";
import { newestProgress } from "./newest_progress.ts";

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
  respond(answer: Promise<Response>, sent: () => void, gone: () => void): Promise<Response> {
    let soon: PromiseWithResolvers<Response> | undefined = Promise.withResolvers();
    const { promise } = soon;
    let stream: AnswerStream | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined = setTimeout(() => {
      stream = this.#open(new AnswerStream({ sent, gone }));
      soon?.resolve(new Response(stream.readable, { headers: HEADERS }));
      timer = soon = undefined; // The call may wait for long, and need not keep them.
    }, SOON_MS);
    answer.then((response) => {
      clearTimeout(timer);
      if (stream) void this.#send(response, stream);
      else soon?.resolve(newestProgress(response, sent));
    }, (error) => {
      clearTimeout(timer);
      if (stream) this.#end(stream, { error });
      else soon?.reject(error);
    });
    return promise;
  }

  async #send(response: Response, stream: AnswerStream): Promise<void> {
    const events = eventsOf(response);
    if (events !== null) {
      this.#forget(stream); // The SDK sends comments on its own stream.
      return await stream.pass(events.getReader());
    }
    try {
      const answer = await response.text();
      // A call that was cut off has no answer.
      if (answer !== "") stream.push(new TextEncoder().encode(`event: message\ndata: ${answer}\n\n`));
      this.#end(stream);
    } catch (error) {
      this.#end(stream, { error });
    }
  }

  #open(stream: AnswerStream): AnswerStream {
    this.#waiting.add(stream);
    this.#timer ??= setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
    return stream;
  }

  #end(stream: AnswerStream, how: { readonly error?: unknown } = {}): void {
    stream.end(how);
    this.#forget(stream);
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
