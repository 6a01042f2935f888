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
  /** Who was in the cluster when this member last heard of a change; null: those that it was begun with. */
  readonly lastKnown: KnownMembers | null;
  /** Chosen when the directory was made. */
  readonly instance: string;
  readonly raftDirectory: string;
  readonly stateDirectory: string;
  /**
   * Writes down who is in the cluster, soon: at a start they must be found before the log is replayed, and also when
   * the state was lost.
   */
  remember(members: KnownMembers): void;
  /** After what is being written. */
  release(): Promise<void>;
}

/** Who is in a cluster, as of the entry that changed it last. */
export interface KnownMembers {
  readonly changedAt: number;
  readonly members: readonly KnownMember[];
}

export interface KnownMember extends MemberIdentity {
  readonly isLearner: boolean;
  readonly level: number;
}

/** What a member that joins a cluster was told of it. */
export interface Invitation {
  readonly identity: ClusterIdentity;
  readonly self: MemberIdentity;
  readonly known: KnownMembers;
}

/**
 * Takes the directory for this member, making it when it is not there. `join`: asked when it is to be made for a cluster
 * that exists already.
 *
 * Rejects with `FLOTILLA_DATA_DIRECTORY` (cannot be used), `FLOTILLA_DISK_LOCKED` (another process has it),
 * `FLOTILLA_FOREIGN_DATA` (another member's, another cluster's or another program's), `FLOTILLA_PEER_SET_CHANGED`
 * (the cluster was started with other members) or `FLOTILLA_DATA_DAMAGED`, and with what `join` rejects with.
 */
export async function openDataDirectory(
  platform: Platform,
  configuration: Configuration,
  join: () => Promise<Invitation>,
): Promise<DataDirectory> {
  const directory = configuration.dataDirectory;
  const { disk } = platform;
  await usable(directory, disk.makeDirectory(directory));
  const unlock = await usable(directory, disk.lock(`${directory}/lock`));
  try {
    const path = `${directory}/cluster.json`;
    const file = (await disk.exists(path))
      ? checked(parseClusterFile(path, await readText(disk, path)), configuration, directory)
      : await createClusterFile(platform, path, configuration, join);
    await usable(directory, disk.makeDirectory(`${directory}/state`));
    const writer = new ClusterFileWriter(platform, directory, path, file);
    return {
      identity: file.identity,
      self: file.self,
      lastKnown: file.known,
      instance: file.instance,
      raftDirectory: `${directory}/raft`,
      stateDirectory: `${directory}/state`,
      remember: (known) => writer.write(known),
      release: async () => {
        await writer.done;
        await unlock();
      },
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

/** What `cluster.json` holds. */
interface ClusterFile {
  readonly instance: string;
  readonly identity: ClusterIdentity;
  readonly self: MemberIdentity;
  readonly known: KnownMembers | null;
}

/**
 * The oldest that can say what the file says is written, for older programs: 1 has the members that the cluster was
 * begun with, 2 also whose directory it is by id, and who the members are now.
 */
const formats = { founded: 1, changed: 2 } as const;

interface MemberContent {
  readonly name: string;
  readonly nodeId: number;
  readonly memberId: string;
  readonly peerUrls: readonly string[];
}

interface ClusterContent {
  readonly format: number;
  readonly member: string;
  readonly instance: string;
  readonly token: string;
  readonly clusterId: string;
  readonly members: readonly MemberContent[];
  readonly self?: MemberContent;
  readonly changedAt?: number;
  readonly currentMembers?: readonly (MemberContent & {
    readonly isLearner: boolean;
    readonly level: number;
  })[];
}

/** Writes the file again whenever it is to say something else, one time after the other. */
class ClusterFileWriter {
  readonly #platform: Platform;
  readonly #directory: string;
  readonly #path: string;
  #file: ClusterFile;
  #isStale = false;
  #writing = false;
  #done: Promise<void> = Promise.resolve();

  constructor(platform: Platform, directory: string, path: string, file: ClusterFile) {
    this.#platform = platform;
    this.#directory = directory;
    this.#path = path;
    this.#file = file;
  }

  /** Resolves when nothing is written any more. */
  get done(): Promise<void> {
    return this.#done;
  }

  write(known: KnownMembers): void {
    this.#file = { ...this.#file, known };
    this.#isStale = true;
    if (!this.#writing) this.#done = this.#write();
  }

  /** What cannot be written is a hint less for the next start: the log and the state have it, too. */
  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await writeClusterFile(this.#platform.disk, this.#directory, this.#path, this.#file);
      } catch (error) {
        this.#platform.log.warn('the members were not written down', { reason: messageOf(error) });
      }
    }
    this.#writing = false;
  }
}

async function createClusterFile(
  platform: Platform,
  path: string,
  configuration: Configuration,
  join: () => Promise<Invitation>,
): Promise<ClusterFile> {
  const { disk } = platform;
  const directory = configuration.dataDirectory;
  const names = await usable(directory, disk.list(directory));
  if (names.includes('member')) throw foreign(directory, 'etcd');
  if (names.includes('raft') || names.includes('state')) {
    throw new FlotillaError('FLOTILLA_DATA_DAMAGED', `${directory} has data, but ${path} is missing`);
  }
  const file =
    configuration.initialClusterState === 'existing'
      ? await invited(platform, join)
      : founded(platform, configuration);
  await usable(directory, writeClusterFile(disk, directory, path, file));
  return file;
}

async function invited(platform: Platform, join: () => Promise<Invitation>): Promise<ClusterFile> {
  const { identity, self, known } = await join();
  return { instance: newInstance(platform), identity, self, known };
}

function founded(platform: Platform, configuration: Configuration): ClusterFile {
  const members = configuration.initialCluster ?? clusterOfOne(configuration);
  const identity = clusterIdentity(members, configuration.initialClusterToken);
  const self = identity.members.find(({ name }) => name === configuration.name);
  if (self === undefined) {
    throw foreign(configuration.dataDirectory, `members ${namesOf(identity)}, not ${configuration.name}`);
  }
  return { instance: newInstance(platform), identity, self, known: null };
}

function checked(file: ClusterFile, configuration: Configuration, directory: string): ClusterFile {
  const { identity, self, known } = file;
  if (self.name !== configuration.name) {
    throw foreign(directory, `member ${self.name}, not ${configuration.name}`);
  }
  // A cluster that nobody names at a restart is the one that is stored; and once members come and go, what a member
  // was first started with is old.
  if (configuration.initialCluster === null || known !== null) return file;
  if (configuration.initialClusterState === 'existing') return file;
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
  const text = JSON.stringify(contentOf(file), null, 2);
  const temporary = `${path}.new`;
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const handle = await disk.open(temporary, 'create');
  handle.write(0, new TextEncoder().encode(`${text}\n`));
  await handle.sync();
  await handle.close();
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
}

function contentOf({ instance, identity, self, known }: ClusterFile): ClusterContent {
  const founded = {
    format: formats.founded,
    member: self.name,
    instance,
    token: identity.token,
    clusterId: identity.clusterId.toString(16),
    members: identity.members.map(memberContent),
  };
  if (known === null) return founded;
  const { changedAt, members } = known;
  return {
    ...founded,
    format: formats.changed,
    self: memberContent(self),
    changedAt,
    currentMembers: members.map(({ isLearner, level, ...member }) => ({
      ...memberContent(member),
      isLearner,
      level,
    })),
  };
}

function memberContent({ name, nodeId, memberId, peerUrls }: MemberIdentity): MemberContent {
  return { name, nodeId, memberId: memberId.toString(16), peerUrls };
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
  const content = parseJson(path, text) as ClusterContent;
  if (typeof content.format === 'number' && content.format > formats.changed) {
    throw new FlotillaError(
      'FLOTILLA_DATA_TOO_NEW',
      `${path} has format ${content.format}, known is ${formats.changed}`,
    );
  }
  try {
    const members = content.members.map(parseMember);
    const identity = { clusterId: BigInt(`0x${content.clusterId}`), token: content.token, members };
    const self =
      content.self === undefined
        ? members.find(({ name }) => name === content.member)
        : parseMember(content.self);
    if (self === undefined) throw new Error(`it is of ${content.member}, who is none of its members`);
    return { instance: content.instance, identity, self, known: parseKnown(content) };
  } catch (error) {
    throw damaged(path, messageOf(error));
  }
}

function parseKnown({ changedAt, currentMembers }: ClusterContent): KnownMembers | null {
  if (changedAt === undefined || currentMembers === undefined) return null;
  const members = currentMembers.map((member) => ({
    ...parseMember(member),
    isLearner: member.isLearner,
    level: member.level,
  }));
  return { changedAt, members };
}

function parseMember({ name, nodeId, memberId, peerUrls }: MemberContent): MemberIdentity {
  return { name, nodeId: nodeId as NodeId, memberId: BigInt(`0x${memberId}`), peerUrls };
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
