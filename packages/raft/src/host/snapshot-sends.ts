import { messageOf } from '@flotilla/platform';
import type { Index, NodeId } from '../core/types.ts';
import type { AnyGroup, GroupContext, SnapshotWish } from './group-context.ts';
import type { SnapshotFailure } from './messages.ts';
import type { PeerLink } from './peer-link.ts';
import { SnapshotSend } from './snapshot-send.ts';
import { SnapshotThrottle } from './snapshot-throttle.ts';
import type { GroupId, SnapshotSource } from './types.ts';

export interface SnapshotSendsOwner extends GroupContext {
  readonly stopped: boolean;
  /** Runs what may throw; what it throws stops the member. */
  guard(action: () => void): void;
}

/** All snapshots on their way out of one host. */
export class SnapshotSends {
  readonly #owner: SnapshotSendsOwner;
  readonly #throttle: SnapshotThrottle;
  /** Every one whose source is pinned. */
  readonly #sends = new Map<number, SnapshotSend>();
  #nextTransfer = 1;

  constructor(owner: SnapshotSendsOwner) {
    this.#owner = owner;
    this.#throttle = new SnapshotThrottle(owner.platform, owner.config.snapshotBytesPerSecond);
  }

  /** The oldest index that one of the group starts from, or null. */
  oldest(group: GroupId): Index | null {
    let oldest: Index | null = null;
    for (const send of this.#sends.values()) {
      if (send.group === group && (oldest === null || send.meta.index < oldest)) oldest = send.meta.index;
    }
    return oldest;
  }

  send(wish: SnapshotWish): void {
    const { group, link, session } = wish;
    const asked = session > 0;
    const present = this.#to(link, group.id);
    if (present !== null) {
      // Whichever it was made for: it brings that member forward, and the core hears how it ends.
      present.asked ||= asked;
      return;
    }
    if (!link.alive || !this.#hasRoom()) {
      if (asked) this.#tellLater(group, link.id);
      return;
    }
    const source = this.#pin(group);
    if (source !== null) this.#begin(wish, source);
    else if (asked) this.#tellLater(group, link.id);
  }

  /** The receiver has written this many chunks. */
  progressed(link: PeerLink, transfer: number, chunks: number): void {
    this.#of(link, transfer)?.progressed(chunks);
  }

  /** The receiver says how far a transfer was when the connection broke. */
  resumed(link: PeerLink, transfer: number, chunks: number, sizeBytes: number): void {
    this.#of(link, transfer)?.resumed(chunks, sizeBytes);
  }

  finished(link: PeerLink, transfer: number, failure: SnapshotFailure | null): void {
    this.#of(link, transfer)?.finished(failure);
  }

  connected(link: PeerLink): void {
    for (const send of this.#sends.values()) {
      if (send.link !== link) continue;
      // Another life has nothing of what was sent.
      if (send.incarnation === link.incarnation) send.reconnected();
      else send.finished('FLOTILLA_SNAPSHOT_CUT');
    }
  }

  disconnected(link: PeerLink): void {
    for (const send of this.#sends.values()) if (send.link === link) send.cut();
  }

  /** The group is gone here. */
  groupRemoved(group: GroupId): void {
    for (const send of this.#sends.values()) if (send.group === group) send.finished('FLOTILLA_SNAPSHOT_CUT');
  }

  /** That member is no peer any more. */
  removed(link: PeerLink): void {
    for (const send of this.#sends.values()) if (send.link === link) send.finished('FLOTILLA_SNAPSHOT_CUT');
  }

  stop(): void {
    for (const send of this.#sends.values()) send.finished('FLOTILLA_SNAPSHOT_CUT');
  }

  #begin(wish: SnapshotWish, source: SnapshotSource): void {
    const { group, link, term, session, meta } = wish;
    const { platform, config, metrics, flushSoon, fail } = this.#owner;
    const transfer = this.#nextTransfer;
    this.#nextTransfer += 1;
    const send: SnapshotSend = new SnapshotSend({
      platform,
      limits: config.limits,
      metrics,
      throttle: this.#throttle,
      link,
      group: group.id,
      transfer,
      term,
      session,
      meta,
      source,
      flushSoon,
      over: (failure) => this.#over(group, send, failure),
    });
    this.#sends.set(transfer, send);
    platform.log.info('sending a snapshot', { group: group.id, peer: link.id, index: meta.index });
    send.run().then(() => this.#sends.delete(transfer), fail);
  }

  /** Null: the state machine cannot. */
  #pin(group: AnyGroup): SnapshotSource | null {
    const { platform, metrics } = this.#owner;
    try {
      return group.snapshotSource();
    } catch (error) {
      metrics.snapshotsUnreadable += 1;
      platform.log.error('no view of the state can be had for a snapshot', {
        group: group.id,
        reason: messageOf(error),
      });
      group.snapshotUnreadable();
      return null;
    }
  }

  /** One whose receiver is gone makes place for the next: that one's receiver is there. */
  #hasRoom(): boolean {
    if (this.#sends.size < this.#owner.config.limits.snapshotSends) return true;
    for (const send of this.#sends.values()) {
      if (!send.isCut) continue;
      send.finished('FLOTILLA_SNAPSHOT_CUT');
      break;
    }
    return false;
  }

  #over(group: AnyGroup, send: SnapshotSend, failure: SnapshotFailure | null): void {
    const { stopped, platform } = this.#owner;
    if (stopped) return;
    const { link } = send;
    if (failure === null) group.snapshotReadable();
    else
      platform.log.warn('a snapshot was not taken in', { group: group.id, peer: link.id, reason: failure });
    if (failure === 'FLOTILLA_SNAPSHOT_UNREADABLE') group.snapshotUnreadable();
    if (!send.asked) return;
    if (failure === null) this.#owner.guard(() => group.snapshotSent(link.id, true));
    else if (failure === 'FLOTILLA_SNAPSHOT_VERSION') {
      this.#tellLater(group, link.id, this.#owner.config.limits.snapshotVersionRetryMinMs);
    } else this.#tellLater(group, link.id);
  }

  /** A core that hears of a failure wishes for the next one with its next append: not at once. */
  #tellLater(group: AnyGroup, to: NodeId, delayMs: number = this.#owner.config.limits.snapshotRetryMs): void {
    this.#owner.platform.timer(delayMs, 'snapshot-retry', () => {
      if (!this.#owner.stopped) this.#owner.guard(() => group.snapshotSent(to, false));
    });
  }

  /** The one on its way to that peer. Over, it may still hold its source for a moment. */
  #to(link: PeerLink, group: GroupId): SnapshotSend | null {
    for (const send of this.#sends.values()) {
      if (send.group === group && send.link === link && !send.isOver) return send;
    }
    return null;
  }

  #of(link: PeerLink, transfer: number): SnapshotSend | null {
    const send = this.#sends.get(transfer);
    return send?.link === link ? send : null;
  }
}
