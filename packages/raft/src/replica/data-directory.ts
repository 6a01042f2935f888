import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Address, Platform } from '@flotilla/platform';
import { configurationOf } from '../core/configuration.ts';
import type { Configuration } from '../core/types.ts';
import { formatAddress, parseAddress } from './address.ts';
import { replicaLimits } from './limits.ts';
import type { ResolvedOptions } from './options.ts';

/**
 * A replica's data directory, held by this process alone.
 *
 * ```text
 * DIR/replica.json   whose data this is, and the first configuration; written first, and checked at every start
 * DIR/addresses.json where members were when this one last heard of them: a hint
 * DIR/raft/          the write-ahead log, and the number of this life
 * DIR/snapshots/     the state, as of now and then
 * DIR/lock           held while the replica is open
 * ```
 */
export interface DataDirectory {
  readonly identity: ReplicaIdentity;
  readonly raftDirectory: string;
  readonly snapshotDirectory: string;
  release(): Promise<void>;
}

/** What `replica.json` holds. */
export interface ReplicaIdentity {
  readonly id: number;
  readonly clusterName: string;
  readonly clusterId: bigint;
  /** Chosen when the directory was made: data that was lost and made again has another one. */
  readonly instance: bigint;
  /** Of the first configuration: what the log goes on from, at every start until its first compaction. */
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  readonly peers: ReadonlyMap<number, Address>;
}

const format = 1;

/**
 * Takes the directory for this member, making it when it is not there.
 *
 * Rejects with `FLOTILLA_DATA_DIRECTORY` (cannot be used), `FLOTILLA_DISK_LOCKED` (another process has it),
 * `FLOTILLA_FOREIGN_DATA` (another member's or another cluster's), `FLOTILLA_DATA_DAMAGED` or `FLOTILLA_DATA_TOO_NEW`.
 */
export async function openReplicaDirectory(
  platform: Platform,
  options: ResolvedOptions,
): Promise<DataDirectory> {
  const { dataDir } = options;
  const { disk } = platform;
  await usable(dataDir, () => disk.makeDirectory(dataDir));
  const release = await disk.lock(`${dataDir}/lock`);
  try {
    const path = identityPath(dataDir);
    const known = await usable(dataDir, () => disk.exists(path));
    const identity = known ? await readIdentity(platform, path) : await createIdentity(platform, options);
    if (identity.id !== options.id || identity.clusterId !== options.clusterId) {
      throw new FlotillaError(
        'FLOTILLA_FOREIGN_DATA',
        `the data in ${dataDir} is that of member ${identity.id} of cluster ${identity.clusterName}, ` +
          `not of member ${options.id} of cluster ${options.clusterName}`,
      );
    }
    return {
      identity,
      raftDirectory: `${dataDir}/raft`,
      snapshotDirectory: snapshotDirectoryOf(dataDir),
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Who takes part in the group of a replica's data, before its log says otherwise; null: it is no replica's data. */
export async function replicaFirstConfiguration(
  platform: Platform,
  dataDir: string,
): Promise<Configuration | null> {
  const path = identityPath(dataDir);
  if (!(await platform.disk.exists(path))) return null;
  const { voters, learners } = await readIdentity(platform, path);
  return configurationOf(voters, learners);
}

export function snapshotDirectoryOf(dataDir: string): string {
  return `${dataDir}/snapshots`;
}

function identityPath(dataDir: string): string {
  return `${dataDir}/replica.json`;
}

async function createIdentity(platform: Platform, options: ResolvedOptions): Promise<ReplicaIdentity> {
  const { disk } = platform;
  const { dataDir, id, clusterName, clusterId, voters, learners, peers } = options;
  const names = await usable(dataDir, () => disk.list(dataDir));
  if (names.includes('raft') || names.includes('snapshots')) {
    throw new FlotillaError(
      'FLOTILLA_DATA_DAMAGED',
      `${dataDir} has data, but ${identityPath(dataDir)} is missing`,
    );
  }
  const random = platform.random.fork('replica-instance');
  const instance = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  const identity = { id, clusterName, clusterId, instance, voters, learners, peers };
  await usable(dataDir, () => writeIdentity(platform, dataDir, identity));
  return identity;
}

/** A second file is written and renamed, so that a crash leaves the whole of it or nothing. */
async function writeIdentity(platform: Platform, dataDir: string, identity: ReplicaIdentity): Promise<void> {
  const { disk } = platform;
  const temporary = `${identityPath(dataDir)}.new`;
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const file = await disk.open(temporary, 'create');
  file.write(0, new TextEncoder().encode(`${encodeIdentity(identity)}\n`));
  await file.sync();
  await file.close();
  await disk.rename(temporary, identityPath(dataDir));
  await disk.syncDirectory(dataDir);
}

function encodeIdentity(identity: ReplicaIdentity): string {
  const { clusterId, instance, peers, ...rest } = identity;
  const content = {
    format,
    ...rest,
    clusterId: clusterId.toString(16),
    instance: instance.toString(16),
    peers: Object.fromEntries([...peers].map(([id, address]) => [id, formatAddress(address)])),
  };
  return JSON.stringify(content, null, 2);
}

/** Rejects with `FLOTILLA_DATA_DAMAGED`, or `FLOTILLA_DATA_TOO_NEW`. */
async function readIdentity(platform: Platform, path: string): Promise<ReplicaIdentity> {
  const file = await platform.disk.open(path, 'read');
  try {
    const text = new TextDecoder().decode(await file.read(0, replicaLimits.identityFileBytes));
    return decodeIdentity(path, text);
  } finally {
    await file.close();
  }
}

function decodeIdentity(path: string, text: string): ReplicaIdentity {
  let content;
  try {
    content = JSON.parse(text) as {
      readonly format: number;
      readonly id: number;
      readonly clusterName: string;
      readonly clusterId: string;
      readonly instance: string;
      readonly voters: readonly number[];
      readonly learners: readonly number[];
      readonly peers: Readonly<Record<string, string>>;
    };
    if (content.format === format) {
      const { id, clusterName, voters, learners } = content;
      return {
        id,
        clusterName,
        clusterId: BigInt(`0x${content.clusterId}`),
        instance: BigInt(`0x${content.instance}`),
        voters: [...voters],
        learners: [...learners],
        peers: new Map(
          Object.entries(content.peers).map(([peer, address]) => [Number(peer), parseAddress(address)]),
        ),
      };
    }
  } catch (error) {
    throw new FlotillaError('FLOTILLA_DATA_DAMAGED', `${path} cannot be read: ${messageOf(error)}`);
  }
  throw new FlotillaError(
    'FLOTILLA_DATA_TOO_NEW',
    `${path} has format ${content.format}, known is ${format}`,
  );
}

async function usable<T>(dataDir: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw new FlotillaError(
      'FLOTILLA_DATA_DIRECTORY',
      `cannot use the data directory ${dataDir}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
