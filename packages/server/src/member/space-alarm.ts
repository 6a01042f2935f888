import { messageOf, type Platform, type Timer } from '@flotilla/platform';
import { AlarmAction, type AlarmMember, AlarmRequest, AlarmType } from '@flotilla/wire';
import { limits } from '../limits.ts';

export interface SpaceAlarmTarget {
  readonly quotaBytes: number;
  /** Whether what others were asked to write is stored here: then whoever is asked need not see that there is no space. */
  readonly looksItself: boolean;
  liveBytes(): number;
  /** What is left on the disk. */
  diskBytes(): Promise<number>;
  /** Of the state's file: what can be written without it growing. */
  reusableBytes(): number;
  /** Whether the disk is to be spared: the log can give up its tail. */
  spareDisk(spare: boolean): void;
  alarms(): readonly AlarmMember[];
  memberId(): bigint;
  /** Whether it is this member that lowers what was raised for that one: itself, or one that is not there to do it. */
  lowersFor(memberId: bigint): boolean;
  /** Through the log. */
  propose(request: Uint8Array): Promise<unknown>;
}

/**
 * Raises the NOSPACE alarm when a write would take the state beyond its quota, or when the disk has little more than
 * what deletions and compaction need, so that every member refuses what adds: a member whose log or state finds no room
 * must stop. And lowers it again when there is space: who raised it looks once a second, since another may have a larger quota and
 * would lower what is raised again with the next write. It wants to see clearly less than its quota for a while, or a
 * state that is about full would be writable and not by turns. Nobody has to disarm it, and whoever does after making
 * space finds it up as long as that usually takes.
 *
 * Of a sharded cluster each member has a quota for its own shards, and looks itself.
 */
export class SpaceAlarm {
  readonly #platform: Platform;
  readonly #target: SpaceAlarmTarget;
  #raising: Promise<void> | null = null;
  /** Since when there has been space; null: there is none, or nobody misses it. */
  #spaceSinceMs: number | null = null;
  #timer: Timer | null = null;
  #diskIsFull = false;
  #diskIsLow = false;
  #stopped = false;

  constructor(platform: Platform, target: SpaceAlarmTarget) {
    this.#platform = platform;
    this.#target = target;
    this.#schedule();
  }

  /** Whether nothing may be added: by the alarm, or because `moreBytes` would be too many. */
  isFull(moreBytes: number): boolean {
    return (
      this.#isRaised() || this.#diskIsFull || this.#target.liveBytes() + moreBytes >= this.#target.quotaBytes
    );
  }

  /** Resolves when all members know; at once where it is known, and also where it cannot be said now. */
  async raise(): Promise<void> {
    if (this.#isRaised()) return;
    this.#raising ??= this.#raise();
    await this.#raising;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #isRaised(): boolean {
    return this.#target.alarms().some(({ alarm }) => alarm === AlarmType.NOSPACE);
  }

  #own(): readonly AlarmMember[] {
    const target = this.#target;
    return target
      .alarms()
      .filter(({ alarm, memberId }) => alarm === AlarmType.NOSPACE && target.lowersFor(memberId));
  }

  async #raise(): Promise<void> {
    const memberId = this.#target.memberId();
    try {
      const alarm = AlarmType.NOSPACE;
      await this.#target.propose(AlarmRequest.encode({ action: AlarmAction.ACTIVATE, memberId, alarm }));
      this.#platform.log.warn('raised the space alarm', { liveBytes: this.#target.liveBytes() });
    } catch (error) {
      // The write is refused all the same; the next one tries again.
      this.#platform.log.warn('the space alarm was not raised', { error: messageOf(error) });
    } finally {
      this.#raising = null;
    }
  }

  #schedule(): void {
    if (this.#stopped) return;
    const isLow = this.#diskIsLow || this.#fillsUp(limits.spaceLowShare);
    const pauseMs = isLow ? limits.diskLowCheckMs : limits.spaceCheckMs;
    this.#timer = this.#platform.timer(pauseMs, 'space-alarm', () => {
      this.#platform.spawn('space-alarm', () => this.#look());
    });
  }

  async #look(): Promise<void> {
    await this.#lookAtDisk();
    if (this.#diskIsFull || this.#fillsUp(1)) await this.raise();
    const hasSpace =
      !this.#diskIsFull &&
      this.#target.liveBytes() < this.#target.quotaBytes * limits.spaceClearShare &&
      this.#own().length > 0;
    const now = this.#platform.now();
    this.#spaceSinceMs = hasSpace ? (this.#spaceSinceMs ?? now) : null;
    if (this.#spaceSinceMs !== null && now - this.#spaceSinceMs >= limits.spaceClearAfterMs) {
      await this.#clear();
    }
    this.#schedule();
  }

  #fillsUp(share: number): boolean {
    const { looksItself, quotaBytes } = this.#target;
    return looksItself && this.#target.liveBytes() >= quotaBytes * share;
  }

  async #lookAtDisk(): Promise<void> {
    const { diskReserveBytes, diskLogBytes, diskLowFactor, spaceClearShare } = limits;
    let diskBytes: number;
    try {
      diskBytes = await this.#target.diskBytes();
    } catch (error) {
      this.#platform.log.warn('the disk does not say what is left of it', { error: messageOf(error) });
      return;
    }
    // What is deleted is history until it is compacted: as much must be left as could be deleted.
    const neededBytes = diskReserveBytes + this.#target.liveBytes();
    this.#diskIsLow = diskBytes < neededBytes + diskLowFactor * diskReserveBytes;
    this.#target.spareDisk(diskBytes < neededBytes + diskReserveBytes);
    // More than at first, once there was not enough.
    const share = this.#diskIsFull ? 1 / spaceClearShare : 1;
    const isFull =
      this.#diskIsLow &&
      (diskBytes < diskLogBytes * share || diskBytes + this.#target.reusableBytes() < neededBytes * share);
    if (isFull && !this.#diskIsFull) this.#platform.log.warn('the disk is all but full', { diskBytes });
    this.#diskIsFull = isFull;
  }

  async #clear(): Promise<void> {
    for (const { alarm, memberId } of this.#own()) {
      try {
        await this.#target.propose(AlarmRequest.encode({ action: AlarmAction.DEACTIVATE, memberId, alarm }));
        this.#platform.log.info('there is space again: lowered the space alarm');
      } catch (error) {
        this.#platform.log.warn('the space alarm was not lowered', { error: messageOf(error) });
      }
    }
  }
}
