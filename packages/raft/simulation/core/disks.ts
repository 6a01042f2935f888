import type { LogRead, Write, WriteSequence } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';

/** What hosts do with their logs: write, sync, release what waited for a sync, and read again. */
export class Disks {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
  }

  write(member: SimulatedMember, write: Write): void {
    if (write.truncateFrom !== null) this.#cluster.coverage.count('truncation');
    member.model(write);
    member.disk.write(write);
    member.promise(write);
    this.#cluster.monitor.wrote(member, write);
  }

  syncSoon(member: SimulatedMember): void {
    if (member.syncing || !member.disk.unsynced) return;
    const upTo = member.disk.syncTarget();
    if (!member.disk.needsSync()) {
      // Only commit indexes: acknowledged at once, safe with the next sync.
      member.disk.acknowledge(upTo);
      member.core.step({ type: 'persisted', upTo });
      this.#cluster.turns.drainSoon(member);
      return;
    }
    member.syncing = true;
    this.#cluster.agenda.after(this.#syncDelay(member), {
      kind: 'synced',
      to: member.id,
      life: member.life,
      upTo,
    });
  }

  synced(member: SimulatedMember, upTo: WriteSequence): void {
    const { network, turns } = this.#cluster;
    member.syncing = false;
    member.disk.sync(upTo);
    member.core.step({ type: 'persisted', upTo });
    for (const message of member.takePromises(upTo)) network.release(member, message);
    turns.drainSoon(member, true);
    this.syncSoon(member);
  }

  /** `read` is answered now: the log may have been compacted since it was asked for. */
  read(member: SimulatedMember, { ref, from, to, maxBytes }: LogRead): void {
    const result = member.disk.read(from, to, maxBytes);
    this.#cluster.coverage.count(result === 'compacted' ? 'log read: compacted' : 'log read');
    this.#cluster.step(member, { type: 'log-read', ref, result });
  }

  readSoon(member: SimulatedMember, read: LogRead): void {
    const { agenda, faulty } = this.#cluster;
    const { id: to, life } = member;
    agenda.after(faulty ? 0.1 + this.#tape.choose(3, 'log read') : 0, { kind: 'log-read', to, life, read });
  }

  #syncDelay(member: SimulatedMember): number {
    const { settings, faulty, now } = this.#cluster;
    const { syncMinMs, syncMaxMs, stallPerMille, stallMaxMs } = settings;
    if (!faulty) return syncMinMs;
    const spread = ((syncMaxMs - syncMinMs) * this.#tape.choose(8, 'sync')) / 8;
    const slow = member.slowDiskUntilMs > now ? 50 : 0;
    const stall = this.#tape.chance(stallPerMille, 1000, 'stall')
      ? this.#tape.choose(stallMaxMs, 'stall ms')
      : 0;
    return syncMinMs + spread + slow + stall;
  }
}
