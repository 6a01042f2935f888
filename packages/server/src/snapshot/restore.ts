import type { Platform } from '@flotilla/platform';
import {
  configurationOf,
  groupOrigin,
  type HostConfig,
  type NodeId,
  openLog,
  type WriteSequence,
} from '@flotilla/raft';
import {
  BoltReader,
  type EtcdFileSummary,
  type OrderedStorage,
  restoreEtcdFile,
  storageTables,
} from '@flotilla/store';
import type { Configuration } from '../configuration/configuration.ts';
import { type DataDirectory, openDataDirectory } from '../member/data-directory.ts';
import { SnapshotSource } from './snapshot-source.ts';

export interface RestoreOptions {
  readonly platform: Platform;
  /** Of the member to be: its name, data directory, and the cluster that it begins. */
  readonly configuration: Configuration;
  readonly openStorage: (directory: string, tables: readonly string[]) => Promise<OrderedStorage>;
  readonly file: string;
  readonly skipHashCheck: boolean;
  readonly bumpRevision: number;
  readonly markCompacted: boolean;
  /** Of the log that the member begins with. */
  readonly host?: HostConfig;
}

/**
 * Makes a data directory from a snapshot, of etcd's or ours. It is a member's only when this has resolved: make it
 * under another name and rename it then. Rejects with `FLOTILLA_SNAPSHOT_DAMAGED` and the errors of data directories.
 */
export async function restoreMember(options: RestoreOptions): Promise<EtcdFileSummary> {
  const { platform, configuration } = options;
  const source = await SnapshotSource.open(platform, options.file);
  try {
    if (!options.skipHashCheck) await source.checkHash();
    const reader = await BoltReader.open(source);
    const directory = await openDataDirectory(platform, configuration, () => {
      throw new Error('a cluster that is restored is a new one');
    });
    try {
      const summary = await restoreState(options, directory, reader);
      await beginLog(platform, directory, options.host);
      return summary;
    } finally {
      await directory.release();
    }
  } finally {
    await source.close();
  }
}

async function restoreState(
  options: RestoreOptions,
  directory: DataDirectory,
  reader: BoltReader,
): Promise<EtcdFileSummary> {
  const { bumpRevision, markCompacted } = options;
  const storage = await options.openStorage(directory.stateDirectory, storageTables);
  try {
    return await restoreEtcdFile(storage, reader, { applied: groupOrigin, bumpRevision, markCompacted });
  } finally {
    await storage.close();
  }
}

/** A log that knows nothing of its state's entries would not be believed. */
async function beginLog(
  platform: Platform,
  { identity, self, raftDirectory }: DataDirectory,
  host: HostConfig = {},
): Promise<void> {
  await platform.disk.makeDirectory(raftDirectory);
  const { log } = await openLog(platform, {
    directory: `${raftDirectory}/log`,
    clusterId: identity.clusterId,
    nodeId: self.nodeId,
    ...(host.logLimits === undefined ? {} : { limits: host.logLimits }),
  });
  try {
    // Every member is restored from the same file, and begins at the same place.
    const configuration = configurationOf(identity.members.map((member) => member.nodeId));
    const write = {
      sequence: 0 as WriteSequence,
      truncateFrom: null,
      entries: [],
      hardState: { term: groupOrigin.term, vote: 0 as NodeId, commit: groupOrigin.index },
      snapshot: { ...groupOrigin, configuration },
      mustSync: true,
      thenSend: [],
    };
    await log.append([{ group: 0, write }]);
  } finally {
    await log.close();
  }
}
