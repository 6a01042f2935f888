import { configurationOf } from '../../src/core/configuration.ts';
import { coreLimits } from '../../src/core/limits.ts';
import type { CoreConfig, NodeId, SnapshotMeta } from '../../src/core/types.ts';
import type { Directive } from './script-file.ts';

/** What `add-nodes` says about each of its members. */
export interface NodeOptions {
  readonly core: CoreConfig;
  /** What the member begins with; at index 0: nothing. */
  readonly snapshot: SnapshotMeta;
  /** Writes and applies are separate steps of the script. */
  readonly asyncStorageWrites: boolean;
  /** Bytes of entries that may be out for applying, as etcd would encode them. */
  readonly maxCommittedBytes: number;
  readonly leaseBasedReads: boolean;
}

/** Reads the options of `add-nodes` for the member `id`. */
export function nodeOptions(directive: Directive, id: number): NodeOptions {
  const values = (key: string): readonly string[] =>
    directive.arguments.find((argument) => argument.key === key)?.values ?? [];
  const flag = (key: string): boolean => values(key)[0] === 'true';
  const count = (key: string, absent: number): number => Number(values(key)[0] ?? absent);
  const unknown = directive.arguments.slice(1).find(({ key }) => !options.has(key));
  if (unknown !== undefined) throw new Error(`unknown option ${unknown.key}`);
  const voters = values('voters').map(Number);
  const learners = values('learners').map(Number);
  const index = count('index', 0);
  const bootstraps = index !== 0 || voters.length > 0 || learners.length > 0 || values('content').length > 0;
  if (bootstraps && index <= 1) throw new Error('index must be specified as > 1 due to bootstrap');
  return {
    core: {
      ...replayConfig,
      id: id as NodeId,
      preVote: flag('prevote'),
      checkQuorum: flag('checkquorum'),
      maxInflightMessages: count('inflight', replayConfig.maxInflightMessages),
      replay: {
        unvalidatedChanges: flag('disable-conf-change-validation'),
        stepDownOnRemoval: flag('step-down-on-removal'),
        leaseByQuorumCheck: values('read-only')[0] === 'lease-based',
      },
    },
    snapshot: {
      index: index as SnapshotMeta['index'],
      // Everybody begins with a snapshot of term 1, and with a term of 0.
      term: (bootstraps ? 1 : 0) as SnapshotMeta['term'],
      configuration: configurationOf(voters, learners),
    },
    asyncStorageWrites: flag('async-storage-writes'),
    maxCommittedBytes: count('max-committed-size-per-ready', 0) || Infinity,
    leaseBasedReads: values('read-only')[0] === 'lease-based',
  };
}

const options = new Set([
  'voters',
  'learners',
  'inflight',
  'index',
  'content',
  'async-storage-writes',
  'prevote',
  'checkquorum',
  'max-committed-size-per-ready',
  'disable-conf-change-validation',
  'read-only',
  'step-down-on-removal',
]);

/** The scripts' members: time-outs of 3 ticks, a heartbeat a tick, no bound on anything that is not named. */
const replayConfig: Omit<CoreConfig, 'id' | 'preVote' | 'checkQuorum'> = {
  incarnation: 1,
  electionTicks: 3,
  heartbeatTicks: 1,
  liveness: 'ticks',
  maxMessageBytes: Infinity,
  maxInflightMessages: 2 ** 31 - 1,
  maxInflightBytes: 0,
  maxUncommittedBytes: Infinity,
  maxApplyBytes: Infinity,
  maxPayloadBytes: coreLimits.maxPayloadBytes,
  maxCachedBytes: Infinity,
  maxPendingReads: coreLimits.maxPendingReads,
  eagerBroadcast: true,
  maxPromotionLagEntries: Infinity,
  priority: 1,
};
