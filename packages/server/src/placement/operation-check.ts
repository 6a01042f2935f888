import { unreachable } from '@flotilla/platform';
import { emptyCensus, majority, takeCensus } from './needs.ts';
import type { Epoch, Operation } from './operation.ts';
import type { PlacementState } from './placement-state.ts';
import type { Refusal } from './refusal.ts';
import { roleCodes } from './shard-table.ts';

export interface OperationRefusal {
  readonly refusal: Refusal;
  /** What is wrong, and what would have been right. */
  readonly message: string;
}

/**
 * Whether an operation may still be done: asked where it is executed, because what it was decided on may have changed
 * since, or another controller may have decided it. Null: it may.
 */
export function refusalOfOperation(state: PlacementState, operation: Operation): OperationRefusal | null {
  const row = state.shards.rowOf(operation.shard);
  if (row < 0) return refuse('unknown-shard', `there is no shard ${operation.shard}`);
  const stale = refusalOfEpoch(`shard ${operation.shard}`, operation.epoch, state.shards.epoch(row));
  if (stale !== null) return stale;
  const { live, voters } = takeCensus(state, row, emptyCensus());
  if (live < majority(voters)) {
    return refuse('no-quorum', `${live} of ${voters} voters are heard of: nothing can be committed`);
  }
  switch (operation.kind) {
    case 'add-learner':
      return refusalOfTarget(state, row, operation.node) ?? refusalOfReplaced(state, row, operation.replaces);
    case 'promote':
      return refusalOfPromotion(state, row, operation);
    case 'remove':
      return refusalOfRemoval(state, row, operation.node);
    case 'transfer-leader':
      return refusalOfOffice(state, row, operation);
    case 'finish-change':
      return takeCensus(state, row, emptyCensus()).joint
        ? null
        : refuse(
            'not-there',
            `shard ${operation.shard} has no joint configuration: there is nothing to finish`,
          );
    case 'split':
      return null;
    case 'merge': {
      const into = state.shards.rowOf(operation.into);
      if (into < 0) return refuse('unknown-shard', `there is no shard ${operation.into}`);
      if (state.shards.right[row] !== operation.into) {
        return refuse(
          'no-neighbour',
          `shard ${operation.into} is not the right neighbour of ${operation.shard}`,
        );
      }
      return (
        refusalOfEpoch(`shard ${operation.into}`, operation.intoEpoch, state.shards.epoch(into)) ??
        refusalOfAlignment(state, row, into)
      );
    }
    default:
      return unreachable(operation);
  }
}

function refuse(refusal: Refusal, message: string): OperationRefusal {
  return { refusal, message };
}

function refusalOfEpoch(what: string, decided: Epoch, now: Epoch): OperationRefusal | null {
  if (decided.membership === now.membership && decided.range === now.range) return null;
  return refuse(
    'stale-epoch',
    `${what} is at epoch ${now.membership}.${now.range}; this was decided at ${decided.membership}.${decided.range}`,
  );
}

function refusalOfTarget(state: PlacementState, row: number, id: number): OperationRefusal | null {
  const { nodes, shards } = state;
  const node = nodes.placeOf(id);
  if (node < 0) return refuse('unknown-node', `there is no node ${id}`);
  if (shards.slotOn(row, node) >= 0) return refuse('holds-replica', `node ${id} has a replica already`);
  if (nodes.heard[node] === 0) return refuse('silent', `node ${id} is silent: choose one that is heard of`);
  if (nodes.isDraining(node)) return refuse('draining', `node ${id} is draining: choose one that serves`);
  if (!nodes.isServing(node)) return refuse('joining', `node ${id} is joining: it serves later`);
  if (takeCensus(state, row, emptyCensus()).learner >= 0) {
    return refuse('catching-up', `shard ${shards.id[row]} has a learner: finish or remove it first`);
  }
  return null;
}

function refusalOfReplaced(state: PlacementState, row: number, id: number | null): OperationRefusal | null {
  if (id === null || isVoter(state, row, id)) return null;
  return refuse('not-there', `node ${id} has no voter to be replaced`);
}

function refusalOfPromotion(
  state: PlacementState,
  row: number,
  { node: id, removes }: Extract<Operation, { kind: 'promote' }>,
): OperationRefusal | null {
  const { nodes, shards } = state;
  const slot = shards.slotOn(row, nodes.placeOf(id));
  if (slot < 0 || shards.role[slot] !== roleCodes['caught-up']) {
    return refuse('not-there', `node ${id} has no learner that has caught up`);
  }
  const replaced = refusalOfReplaced(state, row, removes);
  if (replaced !== null) return replaced;
  if (removes !== null && shards.leader[row] === nodes.placeOf(removes)) {
    return refuse('is-leader', `node ${removes} leads: transfer the leader first`);
  }
  const census = takeCensus(state, row, emptyCensus());
  const leavesLive = removes === null ? 0 : (nodes.heard[nodes.placeOf(removes)] as number);
  const live = census.live + (nodes.heard[nodes.placeOf(id)] as number) - leavesLive;
  return refusalOfQuorum(live, census.voters + (removes === null ? 1 : 0));
}

function refusalOfRemoval(state: PlacementState, row: number, id: number): OperationRefusal | null {
  const { nodes, shards } = state;
  const node = nodes.placeOf(id);
  if (node < 0) return refuse('unknown-node', `there is no node ${id}`);
  const slot = shards.slotOn(row, node);
  if (slot < 0) return refuse('not-there', `node ${id} has no replica of it`);
  if (shards.role[slot] !== roleCodes.voter) return null;
  if (shards.leader[row] === node) return refuse('is-leader', `node ${id} leads: transfer the leader first`);
  const census = takeCensus(state, row, emptyCensus());
  if (census.voters === 1) return refuse('unsafe-quorum', `the replica on node ${id} is the last one`);
  return refusalOfQuorum(census.live - (nodes.heard[node] as number), census.voters - 1);
}

function refusalOfQuorum(live: number, voters: number): OperationRefusal | null {
  if (live >= majority(voters)) return null;
  return refuse(
    'unsafe-quorum',
    `${live} of ${voters} voters would be heard of: ${majority(voters)} must be`,
  );
}

function refusalOfOffice(
  state: PlacementState,
  row: number,
  { from, to }: Extract<Operation, { kind: 'transfer-leader' }>,
): OperationRefusal | null {
  const { nodes, shards } = state;
  if (shards.leader[row] !== nodes.placeOf(from)) return refuse('not-there', `node ${from} does not lead it`);
  if (!isVoter(state, row, to)) return refuse('not-voter', `node ${to} has no voter of it`);
  const isHeard = nodes.heard[nodes.placeOf(to)] === 1;
  return isHeard ? null : refuse('silent', `node ${to} is silent: choose one that is heard of`);
}

function refusalOfAlignment(state: PlacementState, row: number, into: number): OperationRefusal | null {
  const { shards } = state;
  for (let slot = 0; slot < shards.stride; slot += 1) {
    const own = shards.node[row * shards.stride + slot] as number;
    const its = shards.node[into * shards.stride + slot] as number;
    if ((own >= 0 && shards.slotOn(into, own) < 0) || (its >= 0 && shards.slotOn(row, its) < 0)) {
      return refuse('not-there', 'a merge wants both shards on the same nodes: move one of them first');
    }
  }
  return null;
}

function isVoter(state: PlacementState, row: number, id: number): boolean {
  const slot = state.shards.slotOn(row, state.nodes.placeOf(id));
  return slot >= 0 && state.shards.role[slot] === roleCodes.voter;
}
