import type { Write } from '../core/types.ts';
import type { LogRecord } from '../log/types.ts';
import type { AnyGroup, GroupContext } from './group-context.ts';
import type { GroupId } from './types.ts';

export interface HostTurnOwner extends GroupContext {
  readonly stopped: boolean;
  /** Runs what may throw; what it throws stops the member. */
  guard(action: () => void): void;
  /** The group has had its turn. */
  ran(group: AnyGroup): void;
  /** Everything that this turn has to say is queued: sends it. */
  flush(): void;
  /** The records of one append are durable. */
  persisted(records: readonly LogRecord[]): void;
  /** The turn is over. */
  ended(): void;
}

/**
 * One turn of the event loop: all groups that have work do it, then one write for each peer leaves, then one append goes
 * to the log.
 */
export class HostTurn {
  readonly #owner: HostTurnOwner;
  #ready: AnyGroup[] = [];
  #scheduled = false;
  #records: LogRecord[] = [];
  /** When the appends that are outstanding were handed over; they end in order. */
  readonly #appendedMs: number[] = [];

  constructor(owner: HostTurnOwner) {
    this.#owner = owner;
  }

  schedule(group: AnyGroup): void {
    if (!group.scheduled) {
      group.scheduled = true;
      this.#ready.push(group);
    }
    this.soon();
  }

  /** A turn runs at the end of this one of the event loop. */
  readonly soon = (): void => {
    if (this.#scheduled || this.#owner.stopped) return;
    this.#scheduled = true;
    this.#owner.platform.defer(this.#run);
  };

  append(group: GroupId, write: Write): void {
    this.#records.push({ group, write });
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    if (this.#owner.stopped) return;
    this.#owner.guard(() => {
      const { platform, config, metrics } = this.#owner;
      metrics.turns += 1;
      const deadline = platform.now() + config.limits.turnMs;
      const ready = this.#ready;
      this.#ready = [];
      for (const group of ready) {
        group.scheduled = false;
        group.turn(deadline);
        this.#owner.ran(group);
      }
      // Messages leave before the write: followers write while this member does (dissertation, section 10.2.1).
      this.#owner.flush();
      this.#appendRecords();
      this.#owner.ended();
    });
  };

  #appendRecords(): void {
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    const { platform, log, metrics, fail } = this.#owner;
    metrics.logAppends += 1;
    metrics.logRecords += records.length;
    for (const { write } of records) metrics.entriesAppended += write.entries.length;
    this.#appendedMs.push(platform.now());
    log.append(records).then(() => this.#persisted(records), fail);
  }

  /** For how long the oldest append has been outstanding; 0: none is. */
  outstandingMs(nowMs: number): number {
    const oldest = this.#appendedMs[0];
    return oldest === undefined ? 0 : nowMs - oldest;
  }

  #persisted(records: readonly LogRecord[]): void {
    this.#appendedMs.shift();
    if (this.#owner.stopped) return;
    this.#owner.guard(() => this.#owner.persisted(records));
  }
}
