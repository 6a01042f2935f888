import { type Address, FlotillaError, isFlotillaError, type Platform } from '@flotilla/platform';
import {
  type Configuration as RaftConfiguration,
  configurationOf,
  coreLimits,
  createHost,
  type Group,
  type Host,
  type HostConfig,
  type HostOptions,
  hostLimits,
  tcp,
  type TransportFactory,
} from '@flotilla/raft';
import {
  type ApplyResult,
  Database,
  levelOf,
  noOrigin,
  type OrderedStorage,
  storageTables,
  UserRules,
} from '@flotilla/store';
import { CompactionRequest, type RpcServer, type RpcServerOptions, Services } from '@flotilla/wire';
import { authMethods } from '../api/auth.ts';
import { clusterMethods } from '../api/cluster.ts';
import { electionMethods } from '../api/election.ts';
import { healthMethods } from '../api/health.ts';
import { kvMethods } from '../api/kv.ts';
import { leaseMethods } from '../api/lease.ts';
import { lockMethods } from '../api/lock.ts';
import { unlessLearner } from '../api/learner.ts';
import { maintenanceMethods } from '../api/maintenance.ts';
import { moveLeaderMethod } from '../api/move-leader.ts';
import { watchMethods } from '../api/watch.ts';
import type { AuthAdapters } from '../auth/adapters.ts';
import { identified } from '../auth/identified.ts';
import { PasswordQueue } from '../auth/password-queue.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { addressOf } from '../configuration/listen-url.ts';
import type { HttpHandler } from '../http/exchange.ts';
import { memberHttp, noProcess, type ProcessFacts } from '../http/member-http.ts';
import { limits } from '../limits.ts';
import { measuredLog } from '../metrics/measured-log.ts';
import { createMeters, type Meters } from '../metrics/meters.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';
import { removeLeftSnapshots } from '../snapshot/outgoing-snapshot.ts';
import { PeerPort } from '../peer/peer-port.ts';
import { alsoAt } from '../peer/several-addresses.ts';
import { MemberShards } from '../shards/control/member-shards.ts';
import { NodeShards } from '../shards/node-shards.ts';
import { AutoCompactor } from './auto-compaction.ts';
import { CorruptionCheck } from './corruption-check.ts';
import { clientPorts } from './client-ports.ts';
import { type DataDirectory, type Invitation, openDataDirectory } from './data-directory.ts';
import { forceNewCluster } from './force-new-cluster.ts';
import { GroupBackend } from './group-backend.ts';
import type { ClusterIdentity } from './identity.ts';
import { answerJoiners, askToJoin } from './joining.ts';
import { Membership, peersOf } from './membership.ts';
import { decodePublication, publish } from './publication.ts';

export interface MemberOptions {
  readonly platform: Platform;
  readonly configuration: Configuration;
  /** Opens the storage of the state in a directory that is there. */
  readonly openStorage: (directory: string, tables: readonly string[]) => Promise<OrderedStorage>;
  /** Listens for clients. */
  readonly listen: (options: ClientListenerOptions) => Promise<RpcServer>;
  readonly auth: AuthAdapters;
  /** For metrics; a simulated member has no process of its own. */
  readonly process?: ProcessFacts;
  /** Called once, when going on could lose data or lie. The member serves nobody any more; its process should end. */
  readonly onFatal: (error: Error) => void;
  /**
   * Called once, when the cluster has removed this member and it serves nobody any more: its process should end, and
   * its data is of no use. Told to `onFatal` unless given.
   */
  readonly onRemoved?: () => void;
  /** How bytes travel between members; plain TCP unless it is given. */
  readonly peerTransport?: TransportFactory;
  /** Bounds of the host, where a simulation wants other ones. */
  readonly host?: HostConfig;
}

export interface ClientListenerOptions extends RpcServerOptions {
  readonly address: Address;
  /** Of a Unix socket, instead of the address. */
  readonly socketPath?: string;
  /** Serves TLS. */
  readonly secure: boolean;
  /** Serves who comes without TLS. */
  readonly cleartext: boolean;
  readonly http: HttpHandler;
  readonly maxConcurrentStreams: number;
}

/**
 * One member of a cluster: its data directory, the state, its replica of group 0, and the API in front of them.
 * Reaches the world through the platform, the storage and the listener that it is given, and so runs unchanged in the
 * simulator.
 *
 * @example
 * const member = await Member.start({ platform, configuration, openStorage, listen, onFatal });
 * await member.whenReady();
 * await member.stop();
 */
export class Member {
  readonly identity: ClusterIdentity;
  readonly backend: GroupBackend;
  readonly database: Database;
  readonly group: Group<ApplyResult>;
  readonly host: Host;
  readonly peerCalls: PeerCalls;
  readonly membership: Membership;
  /** Of a cluster that is sharded; until then it has none. */
  readonly shards: NodeShards;
  readonly #platform: Platform;
  readonly #directory: DataDirectory;
  readonly #meters: Meters;
  readonly #peerPort: PeerPort;
  readonly #servers: RpcServer[] = [];
  readonly #shardControl: MemberShards;
  readonly #compactor: AutoCompactor | null;
  readonly #corruptionCheck: CorruptionCheck;
  readonly #published: Promise<void>;
  #stopping: Promise<void> | null = null;

  private constructor(options: MemberOptions, parts: Parts) {
    const { platform, configuration } = options;
    this.#platform = platform;
    this.#directory = parts.directory;
    this.#meters = parts.meters;
    this.identity = parts.directory.identity;
    this.database = parts.database;
    this.host = parts.host;
    this.#peerPort = parts.peerPort;
    this.peerCalls = parts.peerPort.calls;
    this.membership = parts.membership;
    this.shards = parts.shards;
    this.group = parts.group;
    this.backend = new GroupBackend({ platform, configuration, auth: options.auth, ...parts });
    this.backend.attach(parts.shards);
    this.#shardControl = startShardControl(platform, configuration, parts, this.backend);
    this.#compactor = startCompactor(platform, configuration, parts, this.backend);
    this.#corruptionCheck = startCorruptionCheck(platform, configuration, parts, this.backend);
    this.#published = this.#publish(options, parts);
    this.group.onRemoved(() => this.#removed(options));
  }

  /**
   * Rejects with what is wrong with the data directory, the log, the storage or an address; nothing is left open then.
   */
  static async start(options: MemberOptions): Promise<Member> {
    const { platform, configuration } = options;
    // What was opened, to be closed again in reverse when a later step fails.
    const undo: (() => Promise<void>)[] = [];
    try {
      const peerPort = new PeerPort(platform, peersMeetAt(configuration, options.peerTransport ?? tcp()));
      undo.push(() => Promise.resolve(peerPort.close()));
      if (configuration.forceNewCluster) {
        await forceNewCluster(platform, configuration, (path, tables) => options.openStorage(path, tables));
      }
      const join = (): Promise<Invitation> => askToJoin(platform, peerPort.calls, configuration);
      const directory = await openDataDirectory(platform, configuration, join);
      undo.push(() => directory.release());
      await removeLeftSnapshots(platform, configuration.dataDirectory);
      const storage = await options.openStorage(directory.stateDirectory, storageTables);
      undo.push(() => storage.close());
      const database = await Database.open(platform, storage, {
        watch: {
          fragmentBytes: configuration.maxRequestBytes + limits.grpcOverheadBytes,
          progressIntervalMs: configuration.watchProgressIntervalMs,
        },
      });
      // It closes the storage, too.
      undo.pop();
      undo.push(() => database.close());
      const meters = createMeters(platform, configuration);
      database.followCommits((durationMs) => meters.timings.commits.observe(durationMs / 1000));
      const host = await createHost({
        ...hostOptions(options, directory, database, peerPort),
        openLog: measuredLog(meters.timings.logSyncs),
      });
      host.onFatal((error) => options.onFatal(error));
      undo.push(() => host.close());
      const shards = new NodeShards({
        platform,
        nodeId: directory.self.nodeId,
        host,
        database,
        store: database.store,
        access: (encoded) => UserRules.decode(encoded),
        channels: peerPort.channels,
        failed: (error) => options.onFatal(error as Error),
      });
      undo.push(() => Promise.resolve(shards.stop()));
      const group = await host.openGroup({
        id: 0,
        stateMachine: database,
        initialConfiguration: votersOf(directory.identity),
      });
      const membership = new Membership({ platform, directory, database, host, group });
      answerJoiners(peerPort.calls, directory, host, membership);
      openChannels(peerPort, directory, membership);
      await shards.open(group);
      const member = new Member(options, {
        directory,
        database,
        peerPort,
        host,
        group,
        membership,
        meters,
        shards,
      });
      undo.push(() => member.#stopServing());
      await member.#listen(options);
      return member;
    } catch (error) {
      for (const close of undo.reverse()) await close().catch(() => undefined);
      throw error;
    }
  }

  /** Where clients are served; the ports differ from the configured ones where those were 0. */
  get clientAddresses(): readonly Address[] {
    return this.#servers.map((server) => server.address);
  }

  /**
   * Resolves once the cluster has confirmed a read to this member and knows where it serves clients. Never, when the
   * member stops before.
   */
  whenReady(): Promise<void> {
    return this.#published;
  }

  /** Serves nobody any more, makes durable what is applied, and lets go of ports and directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #listen(options: MemberOptions): Promise<void> {
    const { configuration, listen } = options;
    const { backend } = this;
    const methods = [
      ...authMethods(backend, { ...options.auth, passwords: new PasswordQueue(options.auth.passwords) }),
      ...kvMethods(backend, this.#platform),
      ...watchMethods(backend),
      ...leaseMethods(backend),
      ...lockMethods(backend),
      ...electionMethods(backend),
      ...clusterMethods(backend),
      ...maintenanceMethods(backend, this.#platform),
      moveLeaderMethod(backend),
      ...healthMethods(backend),
      ...this.#shardControl.methods,
    ];
    const services = new Services(
      this.#meters.calls.metered(unlessLearner(backend, identified(methods, backend.access))),
    );
    const http = memberHttp({
      platform: this.#platform,
      configuration,
      backend,
      services,
      database: this.database,
      host: this.host,
      group: this.group,
      membership: this.membership,
      meters: this.#meters,
      process: options.process ?? noProcess,
      shards: this.#shardControl,
    });
    for (const port of clientPorts(configuration, services, http)) {
      const server = await listen({
        ...port,
        maxReceiveMessageBytes: configuration.maxRequestBytes + limits.grpcOverheadBytes,
        maxConcurrentStreams: configuration.maxConcurrentStreams,
      });
      this.#servers.push(server);
    }
  }

  #publish(options: MemberOptions, parts: Parts): Promise<void> {
    const { platform, configuration, onFatal } = options;
    return new Promise((resolve) => {
      platform.spawn('publication', async () => {
        try {
          await publish({ platform, clientUrls: configuration.advertisedClientUrls, ...parts });
          resolve();
        } catch (error) {
          const isOver =
            isFlotillaError(error, 'FLOTILLA_STOPPED') || isFlotillaError(error, 'FLOTILLA_PEER_REMOVED');
          if (!isOver) onFatal(error as Error);
        }
      });
    });
  }

  /** Whoever asked for it gets an answer first. */
  #removed({ platform, onRemoved, onFatal }: MemberOptions): void {
    platform.log.warn(removedText);
    platform.timer(limits.removedGraceMs, 'member-removed', () => {
      platform.spawn('member-removed', async () => {
        await this.stop();
        if (onRemoved === undefined) onFatal(new FlotillaError('FLOTILLA_PEER_REMOVED', removedText));
        else onRemoved();
      });
    });
  }

  async #stop(): Promise<void> {
    await this.#stopServing();
    this.shards.stop();
    this.membership.stop();
    this.#peerPort.close();
    await this.host.close();
    await this.database.close();
    await this.#directory.release();
  }

  /** Calls under way may end; what would never end, as a watch, is cut. */
  async #stopServing(): Promise<void> {
    this.#shardControl.stop();
    this.#compactor?.stop();
    this.#corruptionCheck.stop();
    const drained = Promise.all(this.#servers.map((server) => server.close()));
    await Promise.race([drained, this.#pause(limits.drainMs)]);
    await Promise.all(this.#servers.map((server) => server.destroy()));
    this.backend.stop();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#platform.timer(delayMs, 'member-pause', resolve);
    });
  }
}

const removedText = 'the member has been permanently removed from the cluster';

interface Parts {
  readonly directory: DataDirectory;
  readonly database: Database;
  readonly peerPort: PeerPort;
  readonly host: Host;
  readonly group: Group<ApplyResult>;
  readonly membership: Membership;
  readonly meters: Meters;
  readonly shards: NodeShards;
}

/** What members ask each other all the time is asked among members only. */
function openChannels(
  { channels }: PeerPort,
  { self, identity }: DataDirectory,
  membership: Membership,
): void {
  const { nodeId } = self;
  channels.open({
    nodeId,
    clusterId: identity.clusterId,
    addressOf: (node) => {
      const url = membership.byNodeId(node)?.peerUrls[0];
      return url === undefined ? null : addressOf(url);
    },
    isPeer: (node) => membership.byNodeId(node) !== null,
  });
}

function hostOptions(
  options: MemberOptions,
  directory: DataDirectory,
  database: Database,
  peerPort: PeerPort,
): HostOptions {
  const { platform, configuration } = options;
  const { identity, self, raftDirectory } = directory;
  return {
    platform,
    nodeId: self.nodeId,
    clusterId: identity.clusterId,
    instance: BigInt(`0x${directory.instance}`),
    instanceOf: (peer) => {
      const known = decodePublication(database.members.get(peer));
      return known === null ? null : BigInt(`0x${known.instance}`);
    },
    directory: raftDirectory,
    // Whoever leads sends a newcomer its first snapshot, and may be somebody that it was not told of.
    admits: () => identity.members.length === 0 && database.applied.index === 0,
    peers: peersOf(directory, database),
    listen: configuration.peerAddresses[0] as Address,
    transport: peerPort.transport,
    config: hostConfig(configuration, options.host ?? {}),
  };
}

/** The host listens at one address. */
function peersMeetAt(configuration: Configuration, transport: TransportFactory): TransportFactory {
  const more = configuration.peerAddresses.slice(1);
  return more.length === 0 ? transport : alsoAt(transport, more);
}

function hostConfig(configuration: Configuration, given: HostConfig): HostConfig {
  const payloadBytes = configuration.maxRequestBytes + limits.proposalOverheadBytes;
  const frameBytes = 2 * (payloadBytes + coreLimits.maxMessageBytes + hostLimits.frameTargetBytes);
  return {
    heartbeatMs: configuration.heartbeatIntervalMs,
    electionMs: configuration.electionTimeoutMs,
    snapshotCount: configuration.snapshotCount,
    tailEntries: configuration.catchUpEntries,
    ...given,
    limits: { frameBytes: Math.max(hostLimits.frameBytes, frameBytes), ...given.limits },
    coreLimits: { maxPayloadBytes: payloadBytes, ...given.coreLimits },
  };
}

function votersOf(identity: ClusterIdentity): RaftConfiguration {
  return configurationOf(identity.members.map((member) => member.nodeId));
}

function startShardControl(
  platform: Platform,
  configuration: Configuration,
  { shards: node, group, membership, database }: Parts,
  backend: GroupBackend,
): MemberShards {
  return new MemberShards({
    platform,
    node,
    group,
    backend,
    members: () => membership.members,
    isUnderstood: () => membership.level >= levelOf('order', noOrigin),
    nodeLostAfterMs: configuration.nodeLostAfterMs,
    space: () => {
      const { storageBytes: usedBytes } = database.stats;
      return { usedBytes, capacityBytes: configuration.quotaBytes };
    },
    isOpen: () => !backend.access.auth.enabled,
    requests: () => backend.shardRequests,
  });
}

function startCorruptionCheck(
  platform: Platform,
  configuration: Configuration,
  { database, directory, group, membership, peerPort, shards }: Parts,
  backend: GroupBackend,
): CorruptionCheck {
  return new CorruptionCheck({
    platform,
    calls: peerPort.calls,
    state: database,
    shards: () => shards.summed(),
    replicas: (shard) => shards.order?.map.row(shard)?.nodes.length ?? null,
    members: () => membership.members,
    memberId: () => directory.self.memberId,
    clusterId: directory.identity.clusterId,
    leads: () => group.status().role === 'leader',
    propose: (request) => backend.write('alarm', request, noOrigin),
    compareMs: configuration.compareStatesMs,
    verifyMs: configuration.verifyStateMs,
  });
}

function startCompactor(
  platform: Platform,
  configuration: Configuration,
  parts: Parts,
  backend: GroupBackend,
): AutoCompactor | null {
  const { group } = parts;
  if (configuration.autoCompaction === null) return null;
  return new AutoCompactor(platform, configuration.autoCompaction, {
    currentRevision: () => backend.revision,
    compactedRevision: () => backend.compactRevision,
    leads: () => group.status().role === 'leader',
    compact: async (revision) => {
      await backend.write('compact', CompactionRequest.encode({ revision, physical: false }), noOrigin);
    },
  });
}
