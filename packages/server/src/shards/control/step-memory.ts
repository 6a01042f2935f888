import { assert, unreachable } from '@flotilla/platform';
import type { ShardId } from '@flotilla/store';
import type { Operation } from '../../placement/operation.ts';
import type { ClusterState, ShardStatus } from './cluster-state.ts';
import type { Step } from './next-steps.ts';

/** What is asked of shards. */
type ShardStep = Exclude<Step, { kind: 'leave' | 'forget-merge' }>;

interface Begun {
  readonly kind: ShardStep['kind'];
  readonly operation: Operation;
  readonly atMs: number;
  /** As it was then. */
  readonly range: number;
  readonly term: number;
  readonly configuration: number;
}

/**
 * What was asked for and may not be seen yet: so that it is not asked for again at every look. Whoever controls next
 * begins without it, and asks once more; that is refused, or does no harm.
 */
export class StepMemory {
  readonly #begun = new Map<ShardId, Begun>();
  readonly #patienceMs: number;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  begun(step: Step, { nowMs, shards, configuration }: ClusterState): void {
    if (step.kind === 'leave' || step.kind === 'forget-merge') return;
    const status = shards.find(({ shard }) => shard === step.shard);
    assert(status !== undefined, 'a step is about a shard that is there');
    const { membership, range, report } = status;
    const operation = operationOf(step, { membership, range });
    const then = { range, term: report?.term ?? 0, configuration };
    this.#begun.set(step.shard, { kind: step.kind, operation, atMs: nowMs, ...then });
  }

  /** It is known that nothing will come of it: the next look may ask somebody else. */
  failed(step: Step): void {
    // Others may have been logged all the same.
    if (step.kind === 'transfer-leader') this.#begun.delete(step.shard);
  }

  /** Of those that are not seen to be done, and were not given up. */
  underWay({ nowMs, shards, configuration }: ClusterState): ReadonlyMap<ShardId, Operation> {
    const byShard = new Map(shards.map((status) => [status.shard, status]));
    for (const [shard, begun] of this.#begun) {
      const status = byShard.get(shard);
      const isOver = nowMs - begun.atMs >= this.#patienceMs;
      if (status === undefined || isOver || isSeen(begun, status, configuration)) this.#begun.delete(shard);
    }
    return new Map([...this.#begun].map(([shard, { operation }]) => [shard, operation]));
  }
}

function operationOf(step: ShardStep, epoch: Operation['epoch']): Operation {
  const decided = { shard: step.shard, epoch, reason: 'complete-change' } as const;
  if (step.kind !== 'transfer-leader') return { ...decided, kind: 'finish-change' };
  return { ...decided, kind: 'transfer-leader', from: step.from, to: step.to };
}

function isSeen(begun: Begun, { range, report }: ShardStatus, configuration: number): boolean {
  switch (begun.kind) {
    case 'assign':
      return configuration !== begun.configuration;
    case 'split':
    case 'merge':
      return range !== begun.range || report?.draining === true;
    case 'transfer-leader':
      return report !== null && report.term !== begun.term;
    default:
      return unreachable(begun.kind);
  }
}
