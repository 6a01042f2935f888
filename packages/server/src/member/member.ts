import { type Address, isFlotillaError, type Platform } from '@flotilla/platform';
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
import { type ApplyResult, Database, noOrigin, type OrderedStorage, storageTables } from '@flotilla/store';
import { CompactionRequest, type RpcServer, type RpcServerOptions, Services } from '@flotilla/wire';
import { authMethods } from '../api/auth.ts';
import { clusterMethods } from '../api/cluster.ts';
import { electionMethods } from '../api/election.ts';
import { healthMethods } from '../api/health.ts';
import { kvMethods } from '../api/kv.ts';
import { leaseMethods } from '../api/lease.ts';
import { lockMethods } from '../api/lock.ts';
import { maintenanceMethods } from '../api/maintenance.ts';
import { watchMethods } from '../api/watch.ts';
import type { AuthAdapters } from '../auth/adapters.ts';
import { identified } from '../auth/identified.ts';
import { PasswordQueue } from '../auth/password-queue.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { addressOf } from '../configuration/listen-url.ts';
import type { HttpHandler } from '../http/exchange.ts';
import { memberHttp } from '../http/member-http.ts';
import { limits } from '../limits.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';
import { PeerPort } from '../peer/peer-port.ts';
import { AutoCompactor } from './auto-compaction.ts';
import { clientPorts } from './client-ports.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';
import { GroupBackend } from './group-backend.ts';
import type { ClusterIdentity } from './identity.ts';
import { decodePublication, publish } from './publication.ts';

export interface MemberOptions {
  readonly platform: Platform;
  readonly configuration: Configuration;
  /** Opens the storage of the state in a directory that is there. */
  readonly openStorage: (directory: string, tables: readonly string[]) => Promise<OrderedStorage>;
  /** Listens for clients. */
  readonly listen: (options: ClientListenerOptions) => Promise<RpcServer>;
  readonly auth: AuthAdapters;
  /** Called once, when going on could lose data or lie. The member serves nobody any more; its process should end. */
  readonly onFatal: (error: Error) => void;
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
  readonly #platform: Platform;
  readonly #directory: DataDirectory;
  readonly #servers: RpcServer[] = [];
  readonly #compactor: AutoCompactor | null;
  readonly #published: Promise<void>;
  #stopping: Promise<void> | null = null;

  private constructor(options: MemberOptions, parts: Parts) {
    const { platform, configuration } = options;
    this.#platform = platform;
    this.#directory = parts.directory;
    this.identity = parts.directory.identity;
    this.database = parts.database;
    this.host = parts.host;
    this.peerCalls = parts.peerPort.calls;
    this.group = parts.group;
    this.backend = new GroupBackend({ platform, configuration, auth: options.auth, ...parts });
    this.#compactor = startCompactor(platform, configuration, parts, this.backend);
    this.#published = this.#publish(options, parts);
  }

  /**
   * Rejects with what is wrong with the data directory, the log, the storage or an address; nothing is left open then.
   */
  static async start(options: MemberOptions): Promise<Member> {
    const { platform, configuration } = options;
    // What was opened, to be closed again in reverse when a later step fails.
    const undo: (() => Promise<void>)[] = [];
    try {
      const directory = await openDataDirectory(platform, configuration);
      undo.push(() => directory.release());
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
      const peerPort = new PeerPort(platform, options.peerTransport ?? tcp());
      undo.push(() => Promise.resolve(peerPort.close()));
      const host = await createHost(hostOptions(options, directory, database, peerPort));
      host.onFatal((error) => options.onFatal(error));
      undo.push(() => host.close());
      const group = await host.openGroup({
        id: 0,
        stateMachine: database,
        initialConfiguration: votersOf(directory.identity),
      });
      const member = new Member(options, { directory, database, peerPort, host, group });
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
    const services = new Services([
      ...kvMethods(backend),
      ...watchMethods(backend),
      ...leaseMethods(backend),
      ...lockMethods(backend),
      ...electionMethods(backend),
      ...clusterMethods(backend),
      ...maintenanceMethods(backend),
      ...healthMethods(backend),
    ]);
    const http = memberHttp({ platform: this.#platform, configuration, backend, services });
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
          if (!isFlotillaError(error, 'FLOTILLA_STOPPED')) onFatal(error as Error);
        }
      });
    });
  }

  async #stop(): Promise<void> {
    await this.#stopServing();
    this.peerCalls.close();
    await this.host.close();
    await this.database.close();
    await this.#directory.release();
  }

  /** Calls under way may end; what would never end, as a watch, is cut. */
  async #stopServing(): Promise<void> {
    this.#compactor?.stop();
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

interface Parts {
  readonly directory: DataDirectory;
  readonly database: Database;
  readonly peerPort: PeerPort;
  readonly host: Host;
  readonly group: Group<ApplyResult>;
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
    peers: new Map(
      identity.members.map((member) => [member.nodeId, addressOf(member.peerUrls[0] as string)]),
    ),
    listen: configuration.peerListener.address,
    transport: peerPort.transport,
    config: hostConfig(configuration, options.host ?? {}),
  };
}

function hostConfig(configuration: Configuration, given: HostConfig): HostConfig {
  const payloadBytes = configuration.maxRequestBytes + limits.proposalOverheadBytes;
  const frameBytes = 2 * (payloadBytes + coreLimits.maxMessageBytes + hostLimits.frameTargetBytes);
  return {
    heartbeatMs: configuration.heartbeatIntervalMs,
    electionMs: configuration.electionTimeoutMs,
    snapshotCount: configuration.snapshotCount,
    ...given,
    limits: { frameBytes: Math.max(hostLimits.frameBytes, frameBytes), ...given.limits },
    coreLimits: { maxPayloadBytes: payloadBytes, ...given.coreLimits },
  };
}

function votersOf(identity: ClusterIdentity): RaftConfiguration {
  return configurationOf(identity.members.map((member) => member.nodeId));
}

function startCompactor(
  platform: Platform,
  configuration: Configuration,
  parts: Parts,
  backend: GroupBackend,
): AutoCompactor | null {
  const { database, group } = parts;
  if (configuration.autoCompaction === null) return null;
  return new AutoCompactor(platform, configuration.autoCompaction, {
    currentRevision: () => database.revision,
    compactedRevision: () => database.compactRevision,
    leads: () => group.status().role === 'leader',
    compact: async (revision) => {
      await backend.write('compact', CompactionRequest.encode({ revision, physical: false }), noOrigin);
    },
  });
}
