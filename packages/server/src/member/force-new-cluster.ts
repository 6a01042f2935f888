import type { Platform } from '@flotilla/platform';
import { Recovery } from '@flotilla/raft';
import { type OrderedStorage, storageTables, storedPositions } from '@flotilla/store';
import type { Configuration } from '../configuration/configuration.ts';
import { firstConfiguration } from './data-directory.ts';

/**
 * `--force-new-cluster`: before this member starts, every other one is dropped from the configuration in its log. What
 * it has stays; what only the others had is gone, acknowledged or not. Does nothing without data, as in etcd, and
 * nothing when nobody else is left, so that the flag may be given again by whoever forgets to take it away.
 *
 * Rejects as `Recovery.open`, with `FLOTILLA_DISK_LOCKED` while a process runs on the directory.
 */
export async function forceNewCluster(
  platform: Platform,
  { dataDirectory }: Configuration,
  openStorage: (directory: string, tables: readonly string[]) => Promise<OrderedStorage>,
): Promise<void> {
  const initialConfiguration = await firstConfiguration(platform, dataDirectory);
  if (initialConfiguration === null || !(await platform.disk.exists(`${dataDirectory}/raft/log`))) return;
  const readState = async (): Promise<ReturnType<typeof storedPositions>> => {
    const storage = await openStorage(`${dataDirectory}/state`, storageTables);
    try {
      return storedPositions(storage);
    } finally {
      await storage.close();
    }
  };
  const recovery = await Recovery.open({
    platform,
    dataDir: dataDirectory,
    group: 0,
    initialConfiguration,
    readState,
  });
  try {
    const { nodeId, configuration, lastIndex, commitIndex } = recovery.findings;
    const { voters, votersOutgoing, learners } = configuration;
    const isAlone =
      voters.length === 1 && voters[0] === nodeId && votersOutgoing.length + learners.length === 0;
    if (isAlone) {
      platform.log.warn('--force-new-cluster: this member is the only one already; take the flag away');
      return;
    }
    const plan = recovery.plan([nodeId], { dropsLearners: true });
    const backup = await recovery.force(plan);
    platform.log.warn(
      '--force-new-cluster: THE OTHER MEMBERS ARE DROPPED FOR EVER, and what only they had is lost',
      {
        dropped: plan.removed.join(', '),
        lastIndex,
        notKnownToBeCommitted: lastIndex - commitIndex,
        logAsItWas: backup,
      },
    );
    platform.log.warn(
      '--force-new-cluster: never start the dropped members again on their data; add new ones, and take the flag away',
    );
  } finally {
    await recovery.close();
  }
}
