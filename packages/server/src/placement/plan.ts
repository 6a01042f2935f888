import { seededRandom } from '@flotilla/platform';
import { Balance } from './balance.ts';
import { explain, type Explanation } from './explain.ts';
import { needs } from './needs.ts';
import type { Operation } from './operation.ts';
import type { PlacementState } from './placement-state.ts';
import type { Refusal } from './refusal.ts';
import { Rules } from './rules.ts';
import { placementLimits } from './settings.ts';
import { Tally } from './tally.ts';
import { Targets } from './targets.ts';

export interface PlanOptions {
  /** Draws where bounds forbid to look at everything; another one each call, so that nothing is passed over for ever. */
  readonly seed: number;
  /** Shards whose decision, or lack of one, is to be explained. */
  readonly explain?: readonly number[];
}

export interface Plan {
  /** The most urgent first. */
  readonly operations: readonly Operation[];
  /** Bytes that balance alone moves: what the budget must be lowered by. */
  readonly balancedBytes: number;
  /** How often what kept something from being done. */
  readonly refused: ReadonlyMap<Refusal, number>;
  /** One for every shard that was asked for. */
  readonly explanations: readonly Explanation[];
}

/**
 * What should be done now: a function of the state and the seed, and of nothing else. Its work is bounded by
 * {@link placementLimits}, whatever the size of the cluster.
 *
 * @example
 * const { operations, balancedBytes } = plan(state, { seed: turn });
 * state.budgetBytes -= balancedBytes;
 * for (const operation of operations) { state.begin(operation); propose(operation); }
 */
export function plan(state: PlacementState, options: PlanOptions): Plan {
  const random = seededRandom(options.seed);
  const tally = new Tally(state);
  const targets = new Targets(tally, random);
  const rules = new Rules(tally, targets);
  const balance = new Balance(tally, targets, random);
  const asked = new Map((options.explain ?? []).map((id) => [id, explain.begun(id)]));
  let shardsLeft: number = placementLimits.shardsPerCall;
  for (const [code, name] of needs.entries()) {
    const needy = state.needy[code];
    if (needy === undefined || needy.size === 0 || shardsLeft === 0) continue;
    const from = needy.size <= shardsLeft ? 0 : random.below(needy.size);
    // By id: what is decided does not depend on the order in which the state was told of the shards.
    const { id } = state.shards;
    const rows = needy.window(from, shardsLeft).sort((a, b) => (id[a] as number) - (id[b] as number));
    shardsLeft -= rows.length;
    if (rows.length < needy.size) tally.waiting += 1;
    let rangeChanges = 0;
    for (const row of rows) {
      if (tally.isFull) {
        tally.waiting += 1;
        break;
      }
      if (moves.has(name) && targets.areExhausted) {
        tally.refuse('moves-in');
        tally.waiting += 1;
        break;
      }
      const most = name === 'split' ? placementLimits.splitsPerCall : placementLimits.mergesPerCall;
      if ((name === 'split' || name === 'merge') && rangeChanges >= most) {
        tally.refuse('operations');
        break;
      }
      const trace = asked.get(state.shards.id[row] as number)?.candidates ?? null;
      const decision = rules.decide(row, trace);
      if (typeof decision !== 'string') {
        tally.decide(decision);
        rangeChanges += 1;
      } else {
        tally.refuse(decision);
        if (decision === 'moves-in' || decision === 'moves-out') tally.waiting += 1;
      }
    }
  }
  balance.run();
  return {
    operations: tally.operations,
    balancedBytes: tally.balancedBytes,
    refused: tally.refused,
    explanations: [...asked.values()].map((begun) => explain.finished(begun, { tally, rules, balance })),
  };
}

/** Needs that a move satisfies. */
const moves: ReadonlySet<string> = new Set(['critical', 'repair', 'drain', 'place']);
