import { isFlotillaError, type Platform } from '@flotilla/platform';
import { groupOrigin, type Host, type NodeId } from '@flotilla/raft';
import { type KeySpan, overlaps, type ShardId, type ShardReplica } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { Claim } from './former-replicas.ts';

export interface SpareReplicasParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly host: Host;
  /** Resolves when everything that is applied survives a crash. */
  readonly flush: () => Promise<void>;
  /** Drops it when others have all of it for good. */
  readonly letGo: (spare: Claim) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Children of shard 0 that begin on other nodes. Everybody who applies the split has all of such a child, and those that
 * it is to begin on may not be there: so it is kept until most of them have it for good. It takes no part in the group;
 * members that lost what they were to begin with, or jumped over it, get it as a snapshot from here.
 */
export class SpareReplicas {
  readonly #parts: SpareReplicasParts;
  readonly #spares = new Map<ShardId, Spare>();
  #isDue = false;

  constructor(parts: SpareReplicasParts) {
    this.#parts = parts;
  }

  /** Whether a replica that was stored is one. */
  isSpare({ initialConfiguration: { voters }, applied }: ShardReplica): boolean {
    return applied.index === groupOrigin.index && voters.length > 0 && !voters.includes(this.#parts.nodeId);
  }

  has(shard: ShardId): boolean {
    return this.#spares.has(shard);
  }

  get(shard: ShardId): Claim | null {
    const spare = this.#spares.get(shard);
    return spare === undefined || spare.isLeaving ? null : spare;
  }

  all(): Iterable<Claim> {
    return this.#spares.values();
  }

  /** Who has some of these keys; null: nobody. */
  inTheWay(span: KeySpan): ShardId | null {
    for (const spare of this.#spares.values()) if (overlaps(spare.span, span)) return spare.shard;
    return null;
  }

  add(replica: ShardReplica): void {
    const nowMs = this.#parts.platform.now();
    this.#spares.set(replica.id, new Spare(replica, nowMs, () => this.#drop(replica.id)));
    this.#releaseSoon();
  }

  /** Lets go of those that others have for good. */
  release(): void {
    for (const spare of this.#spares.values()) {
      if (!spare.isLeaving) this.#parts.letGo(spare);
    }
  }

  /** Opens the groups of those that nobody else has for longer than is usual: somebody may want to have a snapshot. */
  async openOld(): Promise<void> {
    const { host, platform } = this.#parts;
    const before = platform.now() - limits.heldPatienceMs;
    const old = [...this.#spares.values()].filter(
      ({ opened, isLeaving, sinceMs }) => opened === null && !isLeaving && sinceMs < before,
    );
    for (const spare of old) {
      // It was leaving before a crash.
      if (host.removedGroups.includes(spare.shard)) this.#drop(spare.shard);
      if (spare.isLeaving || spare.opened !== null) continue;
      const { shard: id, replica: stateMachine } = spare;
      const { initialConfiguration } = stateMachine;
      const group = { id, stateMachine, initialConfiguration, membersMayReturn: true };
      spare.opened = host.openGroup(group);
      await spare.opened;
    }
  }

  /** Mostly it is a matter of a moment. */
  #releaseSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#parts.platform.timer(limits.spareReleaseMs, 'shard-spare', () => {
      this.#isDue = false;
      this.release();
    });
  }

  #drop(shard: ShardId): void {
    const spare = this.#spares.get(shard);
    if (spare === undefined || spare.isLeaving) return;
    spare.isLeaving = true;
    this.#parts.platform.spawn('shard-spare', async () => {
      try {
        await this.#remove(spare);
      } catch (error) {
        if (!isFlotillaError(error, 'FLOTILLA_STOPPED')) this.#parts.failed(error);
      }
    });
  }

  async #remove({ shard, replica, opened }: Spare): Promise<void> {
    const { host, flush } = this.#parts;
    await flush();
    if (opened !== null) {
      await opened;
      await host.removeGroup(shard);
    }
    await replica.remove();
    this.#spares.delete(shard);
  }
}

class Spare implements Claim {
  readonly replica: ShardReplica;
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly range: number;
  readonly isSpare = true;
  readonly bornBefore: number;
  readonly drop: () => void;
  readonly sinceMs: number;
  /** Its group; null: there is none. */
  opened: Promise<unknown> | null = null;
  isLeaving = false;

  constructor(replica: ShardReplica, nowMs: number, drop: () => void) {
    const { span, epoch, ordered } = replica.machine;
    this.replica = replica;
    this.shard = replica.id;
    this.span = span;
    this.range = epoch.range;
    this.bornBefore = ordered;
    this.sinceMs = nowMs;
    this.drop = drop;
  }
}
