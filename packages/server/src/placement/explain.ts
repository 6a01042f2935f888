import type { Balance } from './balance.ts';
import { needs, type Need } from './needs.ts';
import { reasons, type Epoch, type Operation, type Reason } from './operation.ts';
import { refusals, type Refusal } from './refusal.ts';
import type { Rules } from './rules.ts';
import { dimensions, placementLimits, type Dimension } from './settings.ts';
import { roleCodes } from './shard-table.ts';
import type { Tally } from './tally.ts';
import type { Trace } from './targets.ts';

/** Why a shard is where it is, and what is done about it: plain data, for people and programs. */
export interface Explanation {
  readonly shard: number;
  /** Null: there is no such shard. */
  readonly epoch: Epoch | null;
  readonly need: Need;
  readonly operation: Operation | null;
  /** Of the operation the reason, otherwise what kept it from being decided. */
  readonly because: Reason | Refusal;
  readonly words: string;
  /** Nodes that a broken rule made placement look at. */
  readonly candidates: Trace;
  /** What balance would have done. */
  readonly alternatives: readonly Alternative[];
}

export interface Alternative {
  readonly kind: 'move' | 'transfer-leader' | 'split' | 'merge';
  readonly dimension: Dimension | null;
  readonly from: number | null;
  readonly because: Refusal;
  readonly words: string;
  readonly candidates: Trace;
}

interface Begun {
  readonly shard: number;
  readonly candidates: Trace;
}

interface Finished {
  readonly tally: Tally;
  readonly rules: Rules;
  readonly balance: Balance;
}

export const explain = {
  begun: (shard: number): Begun => ({ shard, candidates: [] }),

  finished({ shard, candidates }: Begun, after: Finished): Explanation {
    const { state } = after.tally;
    const row = state.shards.rowOf(shard);
    if (row < 0) {
      const because = 'unknown-shard';
      const words = refusals[because];
      return {
        shard,
        epoch: null,
        need: 'nothing',
        operation: null,
        because,
        words,
        candidates,
        alternatives: [],
      };
    }
    const operation =
      after.tally.operations.find(
        (its) => its.shard === shard || (its.kind === 'merge' && its.into === shard),
      ) ?? null;
    const because = operation?.reason ?? refusalOfRules(after, row);
    return {
      shard,
      epoch: state.shards.epoch(row),
      need: needs[state.shards.need[row] as number] ?? 'nothing',
      operation,
      because,
      words: wordsOf(because),
      candidates,
      alternatives: operation === null ? alternativesOf(after, row) : [],
    };
  },
};

function wordsOf(because: Reason | Refusal): string {
  return because in reasons ? reasons[because as Reason] : refusals[because as Refusal];
}

function refusalOfRules({ rules }: Finished, row: number): Refusal {
  const decision = rules.decide(row);
  // It would have been decided, had the call not come to its bounds before.
  return typeof decision === 'string' ? decision : 'operations';
}

function alternativesOf(after: Finished, row: number): Alternative[] {
  const { nodes, shards } = after.tally.state;
  const refused = after.balance.refusalOfShard(row);
  const result: Alternative[] = [];
  for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
    const from = shards.node[at] as number;
    if (from < 0 || shards.role[at] !== roleCodes.voter) continue;
    for (const dimension of [0, 1, 3]) {
      const because = refused ?? after.rules.refusalOfSending(row);
      const look = (to: number): Refusal | null => after.balance.refusalOfMove(row, from, to, dimension);
      result.push(alternative(after, 'move', dimension, from, because, nodes.order, look));
    }
  }
  const leader = shards.leader[row] as number;
  if (leader >= 0) {
    const others = nodes.order.filter((node) => node !== leader && shards.slotOn(row, node) >= 0);
    for (const dimension of [2, 3]) {
      const look = (to: number): Refusal | null =>
        after.balance.refusalOfTransfer(row, leader, to, dimension);
      result.push(alternative(after, 'transfer-leader', dimension, leader, refused, others, look));
    }
  }
  for (const [kind, because] of [
    ['split', refusalOfSplit(after, row)],
    ['merge', refusalOfMerge(after, row)],
  ] as const) {
    result.push({ kind, dimension: null, from: null, because, words: refusals[because], candidates: [] });
  }
  return result;
}

function alternative(
  { tally }: Finished,
  kind: 'move' | 'transfer-leader',
  dimension: number,
  from: number,
  refused: Refusal | null,
  nodes: readonly number[],
  look: (to: number) => Refusal | null,
): Alternative {
  const { state } = tally;
  const candidates: Trace = [];
  let because: Refusal = refused ?? 'within-band';
  if (refused === null) {
    for (const node of nodes) {
      if (node === from) continue;
      // What is possible all the same was not drawn, or another shard was better for it.
      const refusal = look(node) ?? 'not-better';
      if (candidates.length < placementLimits.explainedNodes)
        candidates.push({ node: state.nodes.id(node), refusal });
      if (refusal !== 'within-band' && refusal !== 'holds-replica' && because === 'within-band')
        because = refusal;
      if (refusal === 'not-better') because = refusal;
    }
    if (tally.budgetBytes <= 0 && kind === 'move' && because === 'not-better') because = 'budget';
  }
  const name = dimensions[dimension] ?? null;
  return { kind, dimension: name, from: state.nodes.id(from), because, words: refusals[because], candidates };
}

function refusalOfSplit({ tally }: Finished, row: number): Refusal {
  const { state } = tally;
  const { splitBytes, splitLoad } = state.settings;
  if ((state.shards.bytes[row] as number) > splitBytes) return 'rules-first';
  if (state.loadOf(row) <= splitLoad) return 'not-large';
  return state.shards.hasHotKey(row) ? 'one-hot-key' : 'rules-first';
}

function refusalOfMerge({ tally }: Finished, row: number): Refusal {
  const { shards } = tally.state;
  const right = shards.rowOf(shards.right[row] as number);
  if (right < 0 || shards.policy[row] !== shards.policy[right]) return 'no-neighbour';
  if (shards.isSticky(row) || shards.isSticky(right)) return 'sticky';
  return needs[shards.need[row] as number] === 'merge' ? 'neighbour-first' : 'not-small';
}
