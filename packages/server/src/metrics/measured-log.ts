import { assert } from '@flotilla/platform';
import { openLog, type LogOpener, type LogRecord, type WriteAheadLog } from '@flotilla/raft';
import type { Histogram } from './histogram.ts';

/** Opens a log whose synced appends are timed. */
export function measuredLog(seconds: Histogram): LogOpener {
  return async (platform, options) => {
    const { log, ...opened } = await openLog(platform, options);
    return { ...opened, log: new MeasuredLog(log, seconds, () => platform.now()) };
  };
}

class MeasuredLog implements WriteAheadLog {
  readonly #log: WriteAheadLog;
  readonly #seconds: Histogram;
  readonly #now: () => number;

  constructor(log: WriteAheadLog, seconds: Histogram, now: () => number) {
    this.#log = log;
    this.#seconds = seconds;
    this.#now = now;
  }

  append(records: readonly LogRecord[]): Promise<void> {
    const appended = this.#log.append(records);
    if (records.some(({ write }) => write.mustSync)) {
      const startMs = this.#now();
      appended.then(
        () => this.#seconds.observe((this.#now() - startMs) / 1000),
        () => undefined,
      );
    }
    return appended;
  }

  read(...request: Parameters<WriteAheadLog['read']>): ReturnType<WriteAheadLog['read']> {
    return this.#log.read(...request);
  }

  async remove(group: number): Promise<void> {
    await this.#log.remove?.(group);
  }

  async forget(group: number): Promise<void> {
    await this.#log.forget?.(group);
  }

  async readmit(group: number): ReturnType<NonNullable<WriteAheadLog['readmit']>> {
    assert(this.#log.readmit !== undefined, 'the log of a member takes a group back');
    return await this.#log.readmit(group);
  }

  compact(...request: Parameters<WriteAheadLog['compact']>): Promise<void> {
    return this.#log.compact(...request);
  }

  stats(): ReturnType<WriteAheadLog['stats']> {
    return this.#log.stats();
  }

  pinning(): ReturnType<WriteAheadLog['pinning']> {
    return this.#log.pinning();
  }

  onFailure(listener: (error: Error) => void): void {
    this.#log.onFailure(listener);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
