import { FlotillaError } from '@flotilla/platform';
import { coreLimits } from '../core/limits.ts';
import type { CoreConfig } from '../core/types.ts';
import type { LogLimits } from '../log/limits.ts';
import { hostLimits } from './limits.ts';
import type { HostLimits } from './limits.ts';

/** Bounds of each core, see {@link coreLimits}. */
export type CoreBounds = { readonly [Name in keyof typeof coreLimits]: number };

/** How a host behaves. Everything has a default. */
export interface HostConfig {
  /** Between signs of life on each connection. Default 100. */
  readonly heartbeatMs?: number;
  /** A peer that is silent for this long is taken for dead. At least five heartbeats. Default 1000. */
  readonly electionMs?: number;
  /** The log is compacted when it holds this many applied entries beyond {@link tailEntries}. Default 10,000. */
  readonly snapshotCount?: number;
  /** Applied entries that stay in the log for followers that are behind. Default 5,000. */
  readonly tailEntries?: number;
  /** The log keeps more than the tail for a live follower that is this close behind. Default 50,000. */
  readonly laggingEntries?: number;
  /** Live bytes in the log beyond which the tail is given up, so that the disk is bounded. Default 256 MiB. */
  readonly logBytes?: number;
  /** A member asks whether it could win before it stands, so that one that was cut off disturbs nobody. Default true. */
  readonly preVote?: boolean;
  /** A leader that hears from no quorum for an election time-out steps down. Default true; needed for leases. */
  readonly checkQuorum?: boolean;
  /** Of this member as a leader, from 0 (never by itself) to 255. Default 100. See `CoreConfig.priority`. */
  readonly priority?: number;
  /**
   * An append to the log that is outstanding for so long means that the disk stalls: this member then neither leads nor
   * stands for leader. Default: `electionMs`.
   */
  readonly diskStallMs?: number;
  /**
   * Leaders serve reads of policy `lease` without a round trip, and every member promises what that takes: it elects
   * nobody for {@link electionMs} after it heard from a leader, not even when that leader's connection breaks, nor after
   * a start of its own, so that a new leader takes that much longer to appear. Without it at every member, with equal
   * `electionMs`, no lease is ever held. A member that once had leases on is silent at each later start for as long as the
   * longest `electionMs` that it ever had with them. Default false.
   */
  readonly leases?: boolean;
  /** The clocks of any two members run at rates that differ by less than this. At most 0.5. Default 0.1. */
  readonly leaseDriftFraction?: number;
  /**
   * Of all snapshots that leave this member together; 0, the default: no limit. At least what lets each of them send a
   * chunk within half of `limits.snapshotStallMs`.
   */
  readonly snapshotBytesPerSecond?: number;
  readonly limits?: Partial<HostLimits>;
  readonly coreLimits?: Partial<CoreBounds>;
  readonly logLimits?: Partial<LogLimits>;
}

/** A {@link HostConfig} with the defaults filled in. */
export interface ResolvedConfig {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly tickMs: number;
  readonly snapshotCount: number;
  readonly tailEntries: number;
  readonly laggingEntries: number;
  readonly logBytes: number;
  readonly leases: boolean;
  readonly leaseDriftFraction: number;
  readonly snapshotBytesPerSecond: number;
  readonly diskStallMs: number;
  readonly limits: HostLimits;
  readonly logLimits: Partial<LogLimits>;
  readonly core: Omit<CoreConfig, 'id' | 'incarnation'>;
}

/** Ticks of a core in one heartbeat. Finer, so that survivors of a leader campaign at different moments. */
const ticksPerHeartbeat = 2;

/** With the defaults filled in. Throws `FLOTILLA_CONFIG_INVALID`, which names the setting. */
export function resolveConfig(config: HostConfig): ResolvedConfig {
  const heartbeatMs = config.heartbeatMs ?? 100;
  const electionMs = config.electionMs ?? 1000;
  const bounds = { ...coreLimits, ...config.coreLimits };
  const limits = { ...hostLimits, ...config.limits };
  require(heartbeatMs >= 1, 'heartbeatMs', 'must be at least 1');
  require(electionMs >= 5 * heartbeatMs, 'electionMs', 'must be at least five times heartbeatMs');
  require((config.diskStallMs ?? heartbeatMs) >= heartbeatMs, 'diskStallMs', 'must be at least heartbeatMs');
  require((config.snapshotCount ?? 1) >= 1, 'snapshotCount', 'must be at least 1');
  require((config.tailEntries ?? 0) >= 0, 'tailEntries', 'must not be negative');
  // A forwarded batch is taken whole or not at all, see `HostedGroup.receive`.
  require(bounds.maxMessageBytes <=
    bounds.maxUncommittedBytes, 'maxMessageBytes', 'must not exceed maxUncommittedBytes');
  require(limits.frameBytes >=
    2 *
      (limits.frameTargetBytes +
        bounds.maxMessageBytes +
        bounds.maxPayloadBytes), 'frameBytes', 'must be twice what a batch, a message and a payload need together');
  requireLeases(config);
  requireThrottle(config.snapshotBytesPerSecond ?? 0, limits);
  return {
    heartbeatMs,
    electionMs,
    tickMs: heartbeatMs / ticksPerHeartbeat,
    snapshotCount: config.snapshotCount ?? 10_000,
    tailEntries: config.tailEntries ?? 5_000,
    laggingEntries: config.laggingEntries ?? 50_000,
    logBytes: config.logBytes ?? 256 * 1024 * 1024,
    leases: config.leases ?? false,
    leaseDriftFraction: config.leaseDriftFraction ?? 0.1,
    snapshotBytesPerSecond: config.snapshotBytesPerSecond ?? 0,
    diskStallMs: config.diskStallMs ?? electionMs,
    limits,
    logLimits: config.logLimits ?? {},
    core: {
      electionTicks: Math.ceil(electionMs / (heartbeatMs / ticksPerHeartbeat)),
      heartbeatTicks: ticksPerHeartbeat,
      liveness: 'peers',
      priority: config.priority ?? 100,
      preVote: config.preVote ?? true,
      checkQuorum: config.checkQuorum ?? true,
      ...bounds,
    },
  };
}

function requireLeases({ leases, checkQuorum, leaseDriftFraction }: HostConfig): void {
  const drift = leaseDriftFraction ?? 0;
  require(drift >= 0 && drift <= 0.5, 'leaseDriftFraction', 'must be between 0 and 0.5');
  require(leases !== true || checkQuorum !== false, 'leases', 'need checkQuorum');
}

/** A transfer that waits for the throttle must not look like one that has stalled. */
function requireThrottle(bytesPerSecond: number, limits: HostLimits): void {
  const needed = (limits.snapshotSends * limits.snapshotChunkBytes * 2000) / limits.snapshotStallMs;
  const enough = bytesPerSecond === 0 || bytesPerSecond >= needed;
  require(enough, 'snapshotBytesPerSecond', `must be 0 or at least ${Math.ceil(needed)}`);
}

function require(condition: boolean, setting: string, why: string): void {
  if (!condition) throw new FlotillaError('FLOTILLA_CONFIG_INVALID', `${setting} ${why}`);
}
