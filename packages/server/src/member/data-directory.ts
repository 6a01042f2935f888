import {
  type Disk,
  type ErrorCode,
  FlotillaError,
  isFlotillaError,
  messageOf,
  type Platform,
} from '@flotilla/platform';
import { configurationOf } from '@flotilla/raft';
import type { Configuration as RaftConfiguration, NodeId } from '@flotilla/raft';
import { clusterOfOne, type Configuration, urlsKey } from '../configuration/configuration.ts';
import { limits } from '../limits.ts';
import { type ClusterIdentity, clusterIdentity, type MemberIdentity } from './identity.ts';

/**
 * A member's data directory, held by this process alone.
 *
 * ```text
 * DIR/cluster.json   whose data this is; written first, before anything else, and checked at every start
 * DIR/raft/          the write-ahead log, the number of this life, and by which data the others are known
 * DIR/state/         the state, as the storage keeps it
 * DIR/lock           held while the member runs
 * ```
 */
export interface DataDirectory {
  readonly identity: ClusterIdentity;
  readonly self: MemberIdentity;
  /** Chosen when the directory was made. */
  readonly instance: string;
  readonly raftDirectory: string;
  readonly stateDirectory: string;
  release(): Promise<void>;
}

/**
 * Takes the directory for this member, making it when it is not there.
 *
 * Rejects with `FLOTILLA_DATA_DIRECTORY` (cannot be used), `FLOTILLA_DISK_LOCKED` (another process has it),
 * `FLOTILLA_FOREIGN_DATA` (another member's, another cluster's or another program's), `FLOTILLA_PEER_SET_CHANGED`
 * (the cluster was started with other members) or `FLOTILLA_DATA_DAMAGED`.
 */
export async function openDataDirectory(
  platform: Platform,
  configuration: Configuration,
): Promise<DataDirectory> {
  const directory = configuration.dataDirectory;
  const { disk } = platform;
  await usable(directory, disk.makeDirectory(directory));
  const unlock = await usable(directory, disk.lock(`${directory}/lock`));
  try {
    const path = `${directory}/cluster.json`;
    const file = (await disk.exists(path))
      ? checked(parseClusterFile(path, await readText(disk, path)), configuration, directory)
      : await createClusterFile(platform, path, configuration);
    const { identity, instance } = file;
    const self = identity.members.find((member) => member.name === configuration.name);
    if (self === undefined)
      throw foreign(directory, `members ${namesOf(identity)}, not ${configuration.name}`);
    await usable(directory, disk.makeDirectory(`${directory}/state`));
    return {
      identity,
      self,
      instance,
      raftDirectory: `${directory}/raft`,
      stateDirectory: `${directory}/state`,
      release: unlock,
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Who votes in the groups of a member's data, before their logs say otherwise; null: it is no member's data. */
export async function firstConfiguration(
  platform: Platform,
  directory: string,
): Promise<RaftConfiguration | null> {
  const path = `${directory}/cluster.json`;
  if (!(await platform.disk.exists(path))) return null;
  const { identity } = parseClusterFile(path, await readText(platform.disk, path));
  return configurationOf(identity.members.map((member) => member.nodeId));
}

/** What `cluster.json` holds. `member` is whose directory it is; ids are derived, and written for people. */
interface ClusterFile {
  readonly member: string;
  readonly instance: string;
  readonly identity: ClusterIdentity;
}

const FORMAT = 1;

async function createClusterFile(
  platform: Platform,
  path: string,
  configuration: Configuration,
): Promise<ClusterFile> {
  const { disk } = platform;
  const directory = configuration.dataDirectory;
  const names = await usable(directory, disk.list(directory));
  if (names.includes('member')) throw foreign(directory, 'etcd');
  if (names.includes('raft') || names.includes('state')) {
    throw new FlotillaError('FLOTILLA_DATA_DAMAGED', `${directory} has data, but ${path} is missing`);
  }
  if (configuration.initialClusterState === 'existing') {
    throw new FlotillaError(
      'FLOTILLA_UNSUPPORTED_SETTING',
      `--initial-cluster-state existing: ${directory} has no data, and joining a cluster is not supported yet`,
    );
  }
  const members = configuration.initialCluster ?? clusterOfOne(configuration);
  const identity = clusterIdentity(members, configuration.initialClusterToken);
  const file = { member: configuration.name, instance: newInstance(platform), identity };
  await usable(directory, writeClusterFile(disk, directory, path, file));
  return file;
}

function checked(file: ClusterFile, configuration: Configuration, directory: string): ClusterFile {
  const { identity } = file;
  if (file.member !== configuration.name) {
    throw foreign(directory, `member ${file.member}, not ${configuration.name}`);
  }
  // A cluster that nobody names at a restart is the one that is stored.
  if (configuration.initialCluster === null) return file;
  const asked = clusterIdentity(configuration.initialCluster, configuration.initialClusterToken);
  if (asked.token !== identity.token) {
    throw foreign(directory, `a cluster with token ${identity.token}, not ${asked.token}`);
  }
  if (describe(asked) !== describe(identity)) {
    throw new FlotillaError(
      'FLOTILLA_PEER_SET_CHANGED',
      `${directory} belongs to the cluster ${describe(identity)}, but --initial-cluster is ${describe(asked)}`,
    );
  }
  return file;
}

function newInstance(platform: Platform): string {
  const word = (): string => platform.random.u32().toString(16).padStart(8, '0');
  return word() + word();
}

async function writeClusterFile(
  disk: Disk,
  directory: string,
  path: string,
  file: ClusterFile,
): Promise<void> {
  const text = JSON.stringify(
    {
      format: FORMAT,
      member: file.member,
      instance: file.instance,
      token: file.identity.token,
      clusterId: file.identity.clusterId.toString(16),
      members: file.identity.members.map((member) => ({
        name: member.name,
        nodeId: member.nodeId,
        memberId: member.memberId.toString(16),
        peerUrls: member.peerUrls,
      })),
    },
    null,
    2,
  );
  const temporary = `${path}.new`;
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const handle = await disk.open(temporary, 'create');
  handle.write(0, new TextEncoder().encode(`${text}\n`));
  await handle.sync();
  await handle.close();
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
}

async function readText(disk: Disk, path: string): Promise<string> {
  const handle = await disk.open(path, 'read');
  try {
    return new TextDecoder().decode(await handle.read(0, limits.clusterFileBytes));
  } finally {
    await handle.close();
  }
}

function parseClusterFile(path: string, text: string): ClusterFile {
  const content = parseJson(path, text) as {
    readonly format: number;
    readonly member: string;
    readonly instance: string;
    readonly token: string;
    readonly clusterId: string;
    readonly members: readonly {
      readonly name: string;
      readonly nodeId: number;
      readonly memberId: string;
      readonly peerUrls: readonly string[];
    }[];
  };
  if (typeof content.format === 'number' && content.format > FORMAT) {
    throw new FlotillaError(
      'FLOTILLA_DATA_TOO_NEW',
      `${path} has format ${content.format}, known is ${FORMAT}`,
    );
  }
  try {
    const members = content.members.map((member): MemberIdentity => ({
      nodeId: member.nodeId as NodeId,
      memberId: BigInt(`0x${member.memberId}`),
      name: member.name,
      peerUrls: member.peerUrls,
    }));
    const identity = { clusterId: BigInt(`0x${content.clusterId}`), token: content.token, members };
    return { member: content.member, instance: content.instance, identity };
  } catch (error) {
    throw damaged(path, messageOf(error));
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(path, messageOf(error));
  }
}

/** Whatever the disk says about making or locking the directory, in one code; a lock keeps its own. */
async function usable<T>(directory: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    if (isFlotillaError(error, 'FLOTILLA_DISK_LOCKED')) {
      throw new FlotillaError(
        'FLOTILLA_DISK_LOCKED',
        `another member runs on ${directory}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    throw failure('FLOTILLA_DATA_DIRECTORY', directory, error);
  }
}

function failure(code: ErrorCode, directory: string, error: unknown): FlotillaError {
  return new FlotillaError(code, `cannot use the data directory ${directory}: ${messageOf(error)}`, {
    cause: error,
  });
}

function foreign(directory: string, whose: string): FlotillaError {
  return new FlotillaError('FLOTILLA_FOREIGN_DATA', `the data in ${directory} belongs to ${whose}`);
}

function damaged(path: string, detail: string): FlotillaError {
  return new FlotillaError('FLOTILLA_DATA_DAMAGED', `${path} cannot be read: ${detail}`);
}

function describe(identity: ClusterIdentity): string {
  return identity.members.map((member) => `${member.name}=${urlsKey(member.peerUrls)}`).join(',');
}

function namesOf(identity: ClusterIdentity): string {
  return identity.members.map((member) => member.name).join(', ');
}
