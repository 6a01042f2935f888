import type { Index } from '../core/types.ts';
import type { GroupContext, SnapshotWish } from './group-context.ts';
import type { PeerLink } from './peer-link.ts';
import { SnapshotSend } from './snapshot-send.ts';
import type { GroupId } from './types.ts';

export interface SnapshotSendsOwner extends GroupContext {
  readonly stopped: boolean;
  /** Runs what may throw; what it throws stops the member. */
  guard(action: () => void): void;
}

/** All snapshots on their way out of one host. */
export class SnapshotSends {
  readonly #owner: SnapshotSendsOwner;
  readonly #sends = new Map<number, SnapshotSend>();
  #nextTransfer = 1;

  constructor(owner: SnapshotSendsOwner) {
    this.#owner = owner;
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
    const { group, link, term, session, meta } = wish;
    const { platform, config, metrics, flushSoon, fail } = this.#owner;
    const asked = session > 0;
    const busy = [...this.#sends.values()].some((send) => send.group === group.id && send.link === link);
    if (busy || !link.alive || this.#sends.size >= config.limits.snapshotSends) {
      if (asked) group.snapshotSent(link.id, false);
      return;
    }
    const transfer = this.#nextTransfer;
    this.#nextTransfer += 1;
    const send = new SnapshotSend({
      platform,
      limits: config.limits,
      metrics,
      link,
      group: group.id,
      transfer,
      term,
      session,
      meta,
      source: group.snapshotSource(),
      flushSoon,
    });
    this.#sends.set(transfer, send);
    platform.log.info('sending a snapshot', { group: group.id, peer: link.id, index: meta.index });
    send.run().then((ok) => {
      this.#sends.delete(transfer);
      if (this.#owner.stopped) return;
      if (!ok) platform.log.warn('a snapshot was not taken in', { group: group.id, peer: link.id });
      if (asked) this.#owner.guard(() => group.snapshotSent(link.id, ok));
    }, fail);
  }

  /** The receiver has written this many chunks. */
  progressed(link: PeerLink, transfer: number, chunks: number): void {
    this.#of(link, transfer)?.progressed(chunks);
  }

  finished(link: PeerLink, transfer: number, ok: boolean): void {
    this.#of(link, transfer)?.finished(ok);
  }

  disconnected(link: PeerLink): void {
    for (const send of this.#sends.values()) if (send.link === link) send.finished(false);
  }

  stop(): void {
    for (const send of this.#sends.values()) send.finished(false);
  }

  #of(link: PeerLink, transfer: number): SnapshotSend | null {
    const send = this.#sends.get(transfer);
    return send?.link === link ? send : null;
  }
}
