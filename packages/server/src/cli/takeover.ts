import { existsSync, fsyncSync, openSync, closeSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError, type Platform } from '@flotilla/platform';
import { openLmdb } from '@flotilla/store/lmdb';
import type { Configuration, InitialMember } from '../configuration/configuration.ts';
import { clusterIdentity } from '../member/identity.ts';
import { type EtcdLogMember, readEtcdLog } from '../snapshot/etcd-log.ts';
import { restoreMember } from '../snapshot/restore.ts';

/**
 * Makes a member's data of a directory that `etcdutl snapshot restore` has made, which nobody has served from yet:
 * whoever puts a member in etcd's place need not change how backups come back. A directory that etcd has served from is
 * left alone, as its state may be behind its log, and is then refused.
 *
 * What is made lies beside etcd's `member`, which stays as it was. `cluster.json` gets its name last: if this is cut
 * off, the next start does it again.
 */
export async function takeOver(platform: Platform, configuration: Configuration): Promise<void> {
  const { dataDirectory } = configuration;
  const file = join(dataDirectory, 'member', 'snap', 'db');
  const staging = join(dataDirectory, 'restoring');
  const within = (name: string): string => join(dataDirectory, name);
  if (existsSync(within('cluster.json')) || !existsSync(file)) return;
  if (!existsSync(staging) && made.some((name) => existsSync(within(name)))) return;
  const unlock = await platform.disk.lock(within('lock'));
  try {
    const initialCluster = await restoredMembers(platform, configuration);
    if (initialCluster === null) return;
    for (const left of ['restoring', ...made]) rmSync(within(left), { recursive: true, force: true });
    const summary = await restoreMember({
      platform,
      configuration: { ...configuration, dataDirectory: staging, initialCluster, initialClusterState: 'new' },
      openStorage: (directory, tables) => Promise.resolve(openLmdb(directory, tables)),
      file,
      skipHashCheck: true,
      bumpRevision: 0,
      markCompacted: false,
    });
    for (const name of [...made, 'cluster.json']) {
      renameSync(join(staging, name), within(name));
      syncDirectory(dataDirectory);
    }
    rmSync(staging, { recursive: true });
    platform.log.info('what etcdutl has restored is taken over; nothing else is read in member/', {
      revision: summary.revision,
      records: summary.records,
    });
  } finally {
    await unlock();
  }
}

const made = ['state', 'raft'];

/** After a restore the log has no entry behind its snapshot. Null: etcd has served from it. */
async function restoredMembers(
  platform: Platform,
  { dataDirectory, initialClusterToken }: Configuration,
): Promise<readonly InitialMember[] | null> {
  const log = await readEtcdLog(platform, join(dataDirectory, 'member', 'wal'));
  if (log.lastSnapshot === 0 || log.lastEntry > log.lastSnapshot) {
    platform.log.warn(
      "etcd has served from the data directory: take a snapshot with 'etcdctl snapshot save', and restore it",
      { 'data-dir': dataDirectory },
    );
    return null;
  }
  const { members } = clusterIdentity(log.members, initialClusterToken);
  if (members.every(({ name, memberId }) => log.members.some(isMember(name, memberId)))) return log.members;
  throw new FlotillaError(
    'FLOTILLA_FOREIGN_DATA',
    `${dataDirectory} was restored for a cluster with another token than ${initialClusterToken}`,
  );
}

function isMember(name: string, memberId: bigint): (member: EtcdLogMember) => boolean {
  return (member) => member.name === name && member.memberId === memberId;
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
