import { assert } from '@flotilla/platform';
import { decodeMembershipChange } from '../core/membership-codec.ts';
import type { CoreView, MembershipChange, PeerMessage, RaftCore, Ref, RefusalReason } from '../core/types.ts';
import type { GroupContext } from './group-context.ts';
import { originOf, originSequence } from './origin.ts';
import type { PeerLink } from './peer-link.ts';
import type { GroupId } from './types.ts';

type Forwarded = Extract<PeerMessage, { type: 'propose' }>;

/**
 * What followers forward to this member. A core takes or refuses it and says nothing; here it is found out, so that
 * whoever asked hears of a refusal, with its reason, and may ask again instead of waiting for a time-out.
 */
export class ForwardedWork {
  readonly #group: GroupId;
  readonly #context: GroupContext;
  readonly #core: RaftCore;
  readonly #view: CoreView;
  readonly #takeRef: () => Ref;
  /** Changes of membership that the core has, until it settles them with the next drain. */
  readonly #changes = new Map<Ref, ForwardedChange>();

  constructor(group: GroupId, context: GroupContext, core: RaftCore, takeRef: () => Ref) {
    this.#group = group;
    this.#context = context;
    this.#core = core;
    this.#view = core.inspect();
    this.#takeRef = takeRef;
  }

  receive(link: PeerLink, message: Forwarded): void {
    if (message.kind === 'membership') this.#receiveChange(link, message);
    else this.#receiveCommands(link, message);
  }

  /** False: `ref` is not a forwarded change's. */
  settled(ref: Ref, refusal: RefusalReason | null): boolean {
    const change = this.#changes.get(ref);
    if (change === undefined) return false;
    this.#changes.delete(ref);
    if (refusal !== null) this.#refuse(change.link, change.forward, 'membership', [change.sequence], refusal);
    return true;
  }

  #receiveCommands(link: PeerLink, message: Forwarded): void {
    let reason = this.#reasonToRefuse(message);
    if (reason === null) {
      const before = this.#view.lastIndex;
      this.#core.step({ type: 'receive', message });
      const taken = this.#view.lastIndex - before;
      if (taken === message.payloads.length) return;
      // Some of them would be proposed twice.
      assert(taken === 0, 'a batch of forwarded proposals is taken whole or not at all');
      reason = this.#view.progress.has(this.#view.id) ? 'transferring' : 'no-leader';
    }
    // Not proposed: the other side may propose again at once, instead of at its time-out.
    const sequences = message.payloads.map((payload) => originSequence(payload));
    this.#refuse(link, link.forwardsReceived, 'command', sequences, reason);
  }

  /** What the core would take in part only; null: it takes all of them, or none. */
  #reasonToRefuse({ payloads, term }: Forwarded): RefusalReason | null {
    if (this.#view.role !== 'leader' || this.#view.term !== term) return 'no-leader';
    const { maxUncommittedBytes, maxPayloadBytes } = this.#context.config.core;
    const before = this.#view.uncommittedBytes;
    let bytes = before;
    for (const payload of payloads) {
      if (payload.length > maxPayloadBytes) return 'too-large';
      bytes += payload.length;
    }
    if (bytes <= maxUncommittedBytes || (before === 0 && payloads.length === 1)) return null;
    return 'uncommitted-bytes';
  }

  /** Stepped as an own change is, because then the core says what became of it. */
  #receiveChange(link: PeerLink, { payloads, term }: Forwarded): void {
    const forward = link.forwardsReceived;
    for (const payload of payloads) {
      const change = decoded(payload);
      const origin = change === null ? null : originOf(change.context);
      const sequence = origin === null ? 0 : originSequence(origin);
      if (change === null) {
        this.#refuse(link, forward, 'membership', [sequence], 'invalid-change');
        continue;
      }
      if (this.#view.role !== 'leader' || this.#view.term !== term) {
        this.#refuse(link, forward, 'membership', [sequence], 'no-leader');
      } else if (this.#changes.size >= this.#context.config.limits.forwardedMembershipChanges) {
        this.#refuse(link, forward, 'membership', [sequence], 'change-pending');
      } else {
        const ref = this.#takeRef();
        this.#changes.set(ref, { link, forward, sequence });
        this.#core.step({ type: 'change-membership', ref, change });
      }
    }
  }

  #refuse(
    link: PeerLink,
    forward: number,
    kind: Forwarded['kind'],
    sequences: readonly number[],
    reason: RefusalReason,
  ): void {
    link.refuseForward({ type: 'propose-refused', group: this.#group, forward, kind, reason, sequences });
    this.#context.flushSoon();
  }
}

/** Null: a peer's bytes that are no change. They must not stop this member. */
function decoded(payload: Uint8Array): MembershipChange | null {
  try {
    return decodeMembershipChange(payload);
  } catch {
    return null;
  }
}

interface ForwardedChange {
  readonly link: PeerLink;
  readonly forward: number;
  readonly sequence: number;
}
