/**
 * What a backend keeps besides tasks: streams of messages, what keys name, and documents.
 *
 * @module
 */

/** A message of a stream. */
export interface StreamEvent {
  /** The event's id; the ids of a stream sort in the order of its messages. */
  readonly id: string;
  /** The message, as JSON text. */
  readonly text: string;
}

/**
 * Keeps messages on their way to clients for a while, so that a broken stream can be resumed where it broke. No name, id or
 * text has a NUL character, which not every store takes.
 */
export interface StreamStore {
  /** Keeps a message for at least `ttl` ms. */
  append(stream: string, event: StreamEvent, ttl: number): Promise<void>;
  /** Reads the messages of a stream after an id, in order; all of them after `""`. */
  readAfter(stream: string, id: string): Promise<readonly StreamEvent[]>;
  /** Deletes a stream. */
  clear(stream: string): Promise<void>;
}

/**
 * Keeps the texts of keys. The text of a task's key is the id of the task, with the fingerprint of its start. Others are what
 * servers share, such as the list of tasks for which no call waits. No name or text has a NUL character.
 */
export interface KeyStore {
  /** Reads the text of an owner's key. The owner `""` has the keys of the servers themselves. */
  readKey(owner: string, key: string): Promise<string | undefined>;
  /**
   * Replaces the text `from` of a key by `to`, of at most 4,000 characters; `undefined` means that the key has none. Resolves
   * with whether it did: of any number of calls at the same moment with the same `from`, in any number of processes, only one
   * does. A key is kept for at least 30 days, unless it names a task that is gone.
   */
  writeKey(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean>;
}

/** A named JSON text of the system, such as a schedule, or which jobs are paused. */
export interface NamedDocument {
  /** Its name, at most 200 characters. */
  readonly name: string;
  /** Its text, at most 60,000 bytes in UTF-8. */
  readonly text: string;
}

/**
 * Keeps a few small documents until they are deleted, for all processes that share the store. No name or text has a NUL
 * character.
 */
export interface DocumentStore {
  /** Reads a document; `undefined` if there is none. */
  read(name: string): Promise<string | undefined>;
  /** Reads the documents whose name begins with `prefix`, sorted by name. */
  list(prefix: string): Promise<readonly NamedDocument[]>;
  /**
   * Replaces the text `from` by `to`; `undefined` means that there is no document. Resolves with whether it did: of any number
   * of calls at the same moment with the same `from`, in any number of processes, only one does.
   */
  write(name: string, from: string | undefined, to: string | undefined): Promise<boolean>;
  /**
   * Subscribes to changes of documents, made by this process or any other. The listener receives the name, or `undefined` if
   * changes may have been missed. It must not throw. Returns a function that unsubscribes.
   */
  watch(listener: (name: string | undefined) => void): () => void;
}
