import { assert, type Platform } from '@flotilla/platform';
import type { GroupId } from '../host/types.ts';
import { resolveLogLimits } from './limits.ts';
import { recover, type RecoveredLog } from './recovery.ts';
import { SegmentedLog } from './segmented-log.ts';
import { recoveredGroup } from './recovered-group.ts';
import type { LogOptions, OpenedLog, RecoveredGroup } from './types.ts';

/**
 * Opens the log in a directory, or makes one. Repairs what a crash can leave behind, and refuses everything else:
 * `FLOTILLA_LOG_DAMAGED`, `FLOTILLA_LOG_VERSION` (a newer format), `FLOTILLA_LOG_FOREIGN` (another member's or
 * another cluster's log), `FLOTILLA_DISK_LOCKED`. What it refuses it leaves as it is.
 *
 * @example
 * const { log, groups } = await openLog(platform, { directory: 'n1.flotilla/log', clusterId: 0x1cn, nodeId });
 */
export async function openLog(platform: Platform, options: LogOptions): Promise<OpenedLog> {
  const { directory, clusterId, nodeId } = options;
  const limits = resolveLogLimits(options.limits);
  assert(clusterId >= 0n && clusterId < 1n << 64n, 'a cluster id must be an unsigned 64-bit number');
  assert(Number.isSafeInteger(nodeId) && nodeId > 0, 'a node id must be a positive safe integer');
  await platform.disk.makeDirectory(directory);
  const unlock = await platform.disk.lock(`${directory}/LOCK`);
  try {
    const recovered = await recover(platform, directory, options, limits);
    const log = new SegmentedLog(platform, options, limits, recovered, unlock);
    if (recovered.segments.length === 0) await log.begin();
    const removed = [...recovered.groups].flatMap(([id, state]) => (state.removed ? [id] : []));
    return { log, groups: recoveredGroups(recovered), removed };
  } catch (error) {
    await unlock();
    throw error;
  }
}

function recoveredGroups(recovered: RecoveredLog): ReadonlyMap<GroupId, RecoveredGroup> {
  const groups = new Map<GroupId, RecoveredGroup>();
  for (const [id, state] of recovered.groups) {
    if (state.removed) continue;
    const membership = [...(recovered.membership.get(id)?.values() ?? [])].sort((a, b) => a.index - b.index);
    groups.set(id, recoveredGroup(state, membership));
  }
  return groups;
}
