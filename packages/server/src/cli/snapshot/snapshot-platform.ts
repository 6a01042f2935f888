import type { Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openLogger } from '../logger.ts';

/** Of a command that works on files while no member runs on them. */
export function snapshotPlatform(): Platform {
  return nodePlatform({
    nodeName: 'snapshot',
    logger: openLogger('snapshot', 'error', ['stderr']),
    onFatal: (error) => {
      throw error;
    },
  });
}
