import type { Platform } from '@flotilla/platform';
import type { Configuration } from '../configuration/configuration.ts';
import { CallMeter } from './call-meter.ts';
import { exponentialBounds, Histogram } from './histogram.ts';
import { createRequestCounts, type RequestCounts, type Timings } from './member-metrics.ts';
import { SlowRequests } from './slow-requests.ts';

/** What is counted while a member works. */
export interface Meters {
  readonly calls: CallMeter;
  readonly requests: RequestCounts;
  readonly timings: Timings;
}

export function createMeters(platform: Platform, configuration: Configuration): Meters {
  const { extensiveMetrics, slowRequestMs } = configuration;
  return {
    calls: new CallMeter({
      extensive: extensiveMetrics,
      slow: slowRequestMs === null ? null : new SlowRequests(platform, slowRequestMs),
      now: () => platform.now(),
    }),
    requests: createRequestCounts(),
    // etcd's bounds, from 1 ms to 8.2 s.
    timings: {
      logSyncs: new Histogram(exponentialBounds(0.001, 2, 14)),
      commits: new Histogram(exponentialBounds(0.001, 2, 14)),
    },
  };
}
