import { FlotillaError } from '@flotilla/platform';
import type { Address, Platform } from '@flotilla/platform';
import { coreLimits } from '../core/limits.ts';
import type { HostConfig } from '../host/config.ts';
import { hostLimits } from '../host/limits.ts';
import { originBytes } from '../host/origin.ts';
import type { LogOpener } from '../log/types.ts';
import type { TransportFactory } from '../transport/types.ts';
import { parseAddress } from './address.ts';
import { replicaLimits } from './limits.ts';
import { proposalOverheadBytes } from './proposal.ts';
import type { ReplicaStateMachine } from './state-machine.ts';

/** Members by id, each with its address as `host:port`. Keys of an object may be written as numbers. */
export type Peers = Readonly<Record<number, string>> | ReadonlyMap<number, string>;

/** How a replica behaves, in plain words. Everything has a default; milliseconds where a name ends in `Ms`. */
export interface ReplicaConfig {
  /** Between signs of life to each other member. Default 100. */
  readonly heartbeatMs?: number;
  /**
   * A leader that is silent for this long is replaced: longer means fewer elections on bad networks, shorter means a
   * shorter gap when a leader dies. At least five heartbeats. Default 1,000.
   */
  readonly electionMs?: number;
  /** How readily this member leads: 255 before all others, 0 never by its own campaign. Default 100. */
  readonly priority?: number;
  /**
   * Lets a leader answer reads with `consistency: 'lease'` without asking the others. Only where clocks run at nearly the
   * same rate, and then at every member. Default false.
   */
  readonly leases?: boolean;
  /** Bytes per second for snapshots to members that are far behind. Default: as fast as it goes. */
  readonly snapshotBytesPerSecond?: number;
  /** A leader whose log has not taken an append for so long, as on a stalled disk, steps down. Default: `electionMs`. */
  readonly diskStallMs?: number;
  /** The largest command in bytes. Default: a little less than 16 MiB. */
  readonly maxCommandBytes?: number;
  /** Everything else of the host, for those who know why. */
  readonly host?: HostConfig;
}

/** What {@link Replica.open} takes. */
export interface ReplicaOptions<Machine extends ReplicaStateMachine<unknown>> {
  /**
   * This member: from 1 to 2^32 - 1, unlike every other's, and never used again after the member was removed or has lost
   * its data: it comes back as a new one.
   */
  readonly id: number;
  /** Holds everything of this member and nothing else; created when it is not there. One process at a time. */
  readonly dataDir: string;
  /**
   * The members of a new group, this one among them: **equal at all of them**. They are voters unless `learners` names
   * them. Read at the first start only, as far as who votes is concerned: from then on the group itself knows, and
   * {@link Replica.changeMembership} changes it. Addresses are used as long as the group knows no others.
   */
  readonly peers: Peers;
  /** Those of `peers` that begin as learners: they have everything and do not vote. */
  readonly learners?: readonly number[];
  /**
   * This member is added to a group that is there already: it starts with nothing and waits. `peers` says where
   * this one is and where others are: all whose ids are higher than this one's, at least, because of two members the one
   * with the lower id connects. Add it by {@link Replica.changeMembership} at any other member.
   */
  readonly join?: boolean;
  /** The state to replicate; empty. */
  readonly stateMachine: Machine;
  /** Members of other clusters are refused. Equal at all members. Default `flotilla`. */
  readonly clusterName?: string;
  /** Where to listen, as `host:port`, when that is not this member's address in `peers`, as behind a proxy or NAT. */
  readonly listen?: string;
  /** How members talk. Default `tcp()`; see `tls()`, and the conformance kit for one of your own. */
  readonly transport?: TransportFactory;
  /** Opens the log. Default: the segmented log of this package; see the conformance kit for one of your own. */
  readonly log?: LogOpener;
  readonly config?: ReplicaConfig;
  /** Applied commands between two snapshots of the state. The log is as long as two of them. Default 10,000. */
  readonly snapshotEvery?: number;
  /** How long `propose` and `read` wait unless they are told. Default 10,000. */
  readonly proposeTimeoutMs?: number;
  /** The world outside: Node's, or a simulator's in tests. */
  readonly platform: Platform;
}

/** Parsed, with the defaults filled in. */
export interface ResolvedOptions {
  readonly id: number;
  readonly dataDir: string;
  readonly clusterName: string;
  readonly clusterId: bigint;
  readonly peers: ReadonlyMap<number, Address>;
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  readonly join: boolean;
  readonly address: Address;
  readonly listen: Address;
  readonly snapshotEvery: number;
  readonly proposeTimeoutMs: number;
  /** Of a snapshot on its way to a peer. */
  readonly chunkBytes: number;
  readonly host: HostConfig;
}

/** Throws `FLOTILLA_CONFIG_INVALID`, which names the option. */
export function resolveOptions(options: ReplicaOptions<ReplicaStateMachine<unknown>>): ResolvedOptions {
  const { id, dataDir, learners = [], join = false } = options;
  const clusterName = options.clusterName ?? 'flotilla';
  const peers = parsePeers(options.peers);
  const address = peers.get(id);
  requireOption(isMemberId(id), 'id', 'must be a whole number from 1 to 2^32 - 1');
  requireOption(dataDir !== '', 'dataDir', 'must name a directory');
  requireOption(address !== undefined, 'peers', `must have the address of this member, ${id}`);
  requireOption(!join || peers.size > 1, 'peers', 'must name at least one other member, to join its group');
  for (const learner of learners)
    requireOption(peers.has(learner), 'learners', `names ${learner}, which is no peer`);
  const voters = [...peers.keys()].filter((peer) => !learners.includes(peer));
  requireOption(join || voters.length > 0, 'learners', 'must leave a voter');
  const snapshotEvery = options.snapshotEvery ?? replicaLimits.snapshotEveryEntries;
  requireOption(isCount(snapshotEvery), 'snapshotEvery', 'must be a whole number from 1');
  const proposeTimeoutMs = options.proposeTimeoutMs ?? replicaLimits.proposeTimeoutMs;
  requireOption(proposeTimeoutMs > 0, 'proposeTimeoutMs', 'must be more than 0');
  const host = hostConfig(options.config ?? {}, snapshotEvery);
  return {
    id,
    dataDir,
    clusterName,
    clusterId: clusterIdOf(clusterName),
    peers,
    voters: join ? [] : voters,
    learners: join ? [] : learners,
    join,
    address,
    listen: options.listen === undefined ? address : parseAddress(options.listen),
    snapshotEvery,
    proposeTimeoutMs,
    chunkBytes: Math.min(host.limits?.snapshotChunkBytes ?? Infinity, replicaLimits.snapshotChunkBytes),
    host,
  };
}

/** The unsigned 64-bit number that stands for a cluster's name: FNV-1a over its UTF-8 bytes. */
export function clusterIdOf(clusterName: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of new TextEncoder().encode(clusterName)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  }
  return hash;
}

export function isMemberId(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= 0xffff_ffff;
}

function parsePeers(given: Peers): ReadonlyMap<number, Address> {
  const entries = isMap(given) ? [...given] : Object.entries(given);
  const peers = new Map<number, Address>();
  for (const [key, text] of entries) {
    const id = Number(key);
    requireOption(isMemberId(id), 'peers', `has the id ${key}: must be a whole number from 1 to 2^32 - 1`);
    peers.set(id, parseAddress(text));
  }
  return new Map([...peers].sort(([a], [b]) => a - b));
}

function isMap(peers: Peers): peers is ReadonlyMap<number, string> {
  return peers instanceof Map;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function hostConfig(config: ReplicaConfig, snapshotEvery: number): HostConfig {
  const { host, maxCommandBytes, ...plain } = config;
  const overheadBytes = originBytes + proposalOverheadBytes;
  const maxPayloadBytes =
    maxCommandBytes === undefined ? coreLimits.maxPayloadBytes : maxCommandBytes + overheadBytes;
  const frameBytes = 2 * (maxPayloadBytes + coreLimits.maxMessageBytes + hostLimits.frameTargetBytes);
  return {
    // Followers that are a little behind get entries; the log keeps what came since the older snapshot anyway.
    snapshotCount: Math.max(1, Math.ceil(snapshotEvery / 2)),
    tailEntries: Math.min(5_000, snapshotEvery),
    ...plain,
    ...host,
    limits: { frameBytes: Math.max(hostLimits.frameBytes, frameBytes), ...host?.limits },
    coreLimits: { maxPayloadBytes, ...host?.coreLimits },
  };
}

function requireOption(condition: boolean, option: string, why: string): asserts condition {
  if (!condition) throw new FlotillaError('FLOTILLA_CONFIG_INVALID', `${option} ${why}`);
}
