import type { NodeId } from '../core/types.ts';
import type { OpenedLog } from '../log/types.ts';
import { judged } from './case.ts';
import type { ConformanceCase } from './case.ts';
import type { LogBench, LogIdentity } from './log-bench.ts';
import { contentCases } from './log-content-cases.ts';
import { crashCases } from './log-crash-cases.ts';
import { damageCases, syncFailureCases } from './log-failure-cases.ts';
import { orderCases } from './log-order-cases.ts';

/**
 * How the kit works with an implementation of `WriteAheadLog`. A `Place` is whatever one log lives in: a
 * directory, a simulated disk. The cases that need a hook which is not given are left out.
 */
export interface LogUnderTest<Place> {
  /** An empty place, where nothing was ever opened. */
  create(): Promise<Place> | Place;
  /** Opens the log there, or makes one. */
  open(place: Place, identity: LogIdentity): Promise<OpenedLog>;
  /** What the tests need no more. */
  remove?(place: Place): Promise<void> | void;
  /**
   * Ends the process that has the log open, as a power cut does: nothing of it goes on, and what was not synced may be
   * lost. The next `open` finds what is left. Of a log that is killed only, as on a real disk without a power switch,
   * everything may be left that was written.
   */
  crash?(place: Place): Promise<void> | void;
  /** The next sync of the open log fails, and everything about it is the disk's fault. */
  failNextSync?(place: Place): Promise<void> | void;
  /**
   * Flips a bit of something that was synced long ago, while the log is closed. `part` from 0 to 1 says where, from the
   * oldest bytes to the newest.
   */
  damage?(place: Place, part: number): Promise<void> | void;
}

/**
 * What every `WriteAheadLog` must do, as named cases: contents, order of promises, crashes, damage, failures. The
 * rules are those of the contract; each case names what would be lost without it.
 *
 * @example
 * import { test } from 'node:test';
 * const kit = logConformance({ create: () => mkdtemp(prefix), open: (directory, identity) => openMine(directory, identity) });
 * for (const { name, run } of kit) test(name, run);
 */
export function logConformance<Place>(log: LogUnderTest<Place>): readonly ConformanceCase[] {
  const checks = {
    ...contentCases,
    ...orderCases,
    ...(log.crash === undefined ? {} : crashCases),
    ...(log.failNextSync === undefined ? {} : syncFailureCases),
    ...(log.damage === undefined ? {} : damageCases),
  };
  return Object.entries(checks).map(([name, check]) => ({
    name,
    run: async () => {
      const place = await log.create();
      const trial = new LogTrial(log, place);
      try {
        await judged(() => check(trial));
      } finally {
        await trial.end();
        await log.remove?.(place);
      }
    },
  }));
}

/** Stands where a case meets the implementation, whatever its places are. */
class LogTrial<Place> implements LogBench {
  readonly #log: LogUnderTest<Place>;
  readonly #place: Place;
  #opened: OpenedLog | null = null;

  constructor(log: LogUnderTest<Place>, place: Place) {
    this.#log = log;
    this.#place = place;
  }

  async open(identity: LogIdentity = ourIdentity): Promise<OpenedLog> {
    const opened = await this.#log.open(this.#place, identity);
    this.#opened = opened;
    return opened;
  }

  async reopen(): Promise<OpenedLog> {
    await this.close();
    return this.open();
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    await opened?.log.close();
  }

  async crash(): Promise<OpenedLog> {
    this.#opened = null;
    await this.#log.crash?.(this.#place);
    return this.open();
  }

  async failNextSync(): Promise<void> {
    await this.#log.failNextSync?.(this.#place);
  }

  async damage(part: number): Promise<void> {
    await this.#log.damage?.(this.#place, part);
  }

  async end(): Promise<void> {
    // A log that has failed says so again; the case has seen to that.
    await this.close().catch(() => undefined);
  }
}

const ourIdentity: LogIdentity = { clusterId: 0xf107n, nodeId: 1 as NodeId };
