import { messageOf } from '@flotilla/platform';
import type { Logger } from '@flotilla/platform';

/** What a {@link Replica} tells, by the name of the event. */
export interface ReplicaEvents {
  /** Another leader is known here, or none (null). */
  readonly leader: { readonly leader: number | null; readonly term: number };
  /** This member's role has changed. */
  readonly role: {
    readonly role: 'follower' | 'pre-candidate' | 'candidate' | 'leader';
    readonly term: number;
  };
  /** A change of membership, or of a member's address, was applied here. */
  readonly membership: { readonly members: readonly MemberInfo[] };
  /** A snapshot of the state was written to a file here, or came from a peer and is the state now. */
  readonly snapshot: {
    readonly origin: 'taken' | 'installed';
    readonly index: number;
    readonly term: number;
    readonly sizeBytes: number;
  };
  /** This member is not part of the group any more, for ever. Close it and delete its data. */
  readonly removed: { readonly id: number };
  /** This member has stopped, because going on could lose data. Every pending call is rejected. Close it. */
  readonly fatal: Error;
}

/** A member as the group knows it. */
export interface MemberInfo {
  readonly id: number;
  /** `host:port`; null when this member has not heard of it yet. */
  readonly address: string | null;
  readonly role: 'voter' | 'learner';
  readonly isLeader: boolean;
}

/** Hears of one kind of event. */
export type Listener<Name extends keyof ReplicaEvents> = (event: ReplicaEvents[Name]) => void;

/** Listeners by event. One that throws is logged, and does not keep the others from hearing. */
export class EventListeners {
  readonly #logger: Logger;
  readonly #listeners = new Map<keyof ReplicaEvents, Set<(event: never) => void>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  on<Name extends keyof ReplicaEvents>(name: Name, listener: Listener<Name>): () => void {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(name, listeners);
    }
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof ReplicaEvents>(name: Name, event: ReplicaEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as Listener<Name>)(event);
      } catch (error) {
        this.#logger.error('a listener has thrown', { event: name, error: messageOf(error) });
      }
    }
  }
}
