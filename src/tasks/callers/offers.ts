/**
 * Which tasks are left to the next call with the same input, as one text that a key names: pure functions.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";

/** A task that the next call may take over. */
export interface Offer {
  readonly id: string;
  /** The server whose call waits for the task: others may take it over only once that server is dead. */
  readonly server?: string;
  /** Until when the task is offered, in ms since the epoch; absent: for as long as its result is kept. */
  readonly until?: number;
  /** How long its caller had waited when it gave up, in ms. */
  readonly givenUpAfter?: number;
}

/** How a call offers a task. */
export interface OfferOptions extends Pick<Offer, "givenUpAfter"> {
  /** For how long, in ms. Default: for as long as its result is kept. */
  readonly ms?: number;
  readonly number?: number;
}

/** Where a call comes from. */
export interface CallOrigin {
  /** Whether all calls of this server come over one connection, as over stdio: then none overtakes the cancellation of another. */
  readonly isOnlyClient?: boolean;
  /** The session of the call, if it has one: all calls of a session come from one client. */
  readonly session?: string;
}

/** How a call looks for a task that is offered. */
export interface TakeOptions {
  readonly number?: number;
  readonly origin?: CallOrigin;
  /** Whether its task has a key, by which it finds that of a call that still waits. */
  readonly isUnique?: boolean;
}

/** What a call finds of one before it: the task that it takes over, and how long the client of that one could wait, in ms. */
export interface Taken extends Pick<Offer, "givenUpAfter"> {
  readonly task?: TaskInfo;
}

/** The most offers of one list, so that its text stays short. The oldest are dropped. */
const MAX_OFFERS = 20;

const OFFER = /^(?<id>[^@~+]+)(?:@(?<server>[^~+]+))?(?:~(?<until>\d+))?(?:\+(?<gaveUp>\d+))?$/;

/** Reads a list, the newest offer first. */
export function parseOffers(text: string = ""): readonly Offer[] {
  return text.split(" ").flatMap((one) => {
    const { id, server, until, gaveUp } = OFFER.exec(one)?.groups ?? {};
    if (id === undefined) return [];
    return [{
      id,
      ...(server && { server }),
      ...(until && { until: Number(until) }),
      ...(gaveUp && { givenUpAfter: Number(gaveUp) }),
    }];
  });
}

/** Writes a list; one without offers is `undefined`. */
export function formatOffers(offers: readonly Offer[]): string | undefined {
  const texts = offers.map(({ id, server, until, givenUpAfter }) =>
    id + (server === undefined ? "" : `@${server}`) + (until === undefined ? "" : `~${until}`) +
    (givenUpAfter === undefined ? "" : `+${givenUpAfter}`)
  );
  return texts.length === 0 ? undefined : texts.join(" ");
}

/** Adds an offer, or replaces that of the same task and server. */
export function withOffer(offers: readonly Offer[], offer: Offer): readonly Offer[] {
  return [offer, ...withoutOffer(offers, offer)].slice(0, MAX_OFFERS);
}

/** Removes the offer of a task by this server or, if absent, the one that needs no server to be dead. */
export function withoutOffer(offers: readonly Offer[], { id, server }: Offer): readonly Offer[] {
  return offers.filter((one) => one.id !== id || one.server !== server);
}

/** Removes the offers whose time is over. */
export function currentOffers(offers: readonly Offer[], now: number): readonly Offer[] {
  return offers.filter(({ until = Infinity }) => until > now);
}
