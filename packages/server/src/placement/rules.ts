import { emptyCensus, majority, need, takeCensus, type Census } from './needs.ts';
import type { Operation, Reason } from './operation.ts';
import type { PlacementState } from './placement-state.ts';
import type { Refusal } from './refusal.ts';
import { roleCodes } from './shard-table.ts';
import type { Tally } from './tally.ts';
import type { Targets, Trace } from './targets.ts';

export type Decision = Operation | Refusal;

/**
 * The next step of a shard towards its rules: to have as many live replicas as its policy asks for, on nodes that may
 * have them, over as many zones as there are. What was begun is finished first, from what the shard itself shows, so
 * that any controller can go on with it.
 */
export class Rules {
  readonly #tally: Tally;
  readonly #state: PlacementState;
  readonly #targets: Targets;
  readonly #census: Census = emptyCensus();

  constructor(tally: Tally, targets: Targets) {
    this.#tally = tally;
    this.#state = tally.state;
    this.#targets = targets;
  }

  decide(row: number, trace: Trace | null = null): Decision {
    const { shards, nodes } = this.#state;
    if (shards.operations.has(row) || this.#tally.touched.has(row)) return 'in-flight';
    const census = takeCensus(this.#state, row, this.#census);
    if (census.live < majority(census.voters)) return 'no-quorum';
    const leader = shards.leader[row] as number;
    if (leader < 0) return 'no-leader';
    if (census.joint) return { ...this.#decided(row, 'complete-change'), kind: 'finish-change' };
    if (census.learner >= 0) return this.#withLearner(row, census);
    if (census.voters > this.#state.replicasOf(row)) return this.#dropVoter(row, census);
    if (census.lost > 0) return this.#add(row, census.lostVoter, 'replace-lost', trace);
    if (census.voters < this.#state.replicasOf(row)) return this.#add(row, -1, 'add-missing', trace);
    if (nodes.isDraining(leader)) {
      const transfer = this.#transfer(row, 'leave-draining');
      // With nobody there to take the office over, it goes with the replica.
      if (transfer !== 'not-voter' && transfer !== 'draining') return transfer;
    }
    if (census.unwelcome >= 0) {
      const isDraining = nodes.isDraining(shards.node[census.unwelcome] as number);
      return this.#add(row, census.unwelcome, isDraining ? 'leave-draining' : 'obey-labels', trace);
    }
    if (this.#state.spreadOf(row) >= 2) {
      return this.#add(row, this.#crowdedVoter(row), 'spread-zones', trace);
    }
    return this.#decideRange(row, trace);
  }

  #withLearner(row: number, census: Census): Decision {
    const { shards, nodes } = this.#state;
    const node = shards.node[census.learner] as number;
    if (nodes.heard[node] === 0 || !nodes.isServing(node)) return this.#remove(row, node, 'drop-learner');
    const leader = shards.leader[row] as number;
    if (shards.role[census.learner] === roleCodes.learner) {
      return nodes.isDraining(leader) ? this.#transfer(row, 'leave-draining') : 'catching-up';
    }
    const replaced = shards.replaces[row] as number;
    const leaves = replaced >= 0 && shards.slotOn(row, replaced) >= 0;
    if (!leaves && census.voters >= this.#state.replicasOf(row))
      return this.#remove(row, node, 'drop-surplus');
    if (leaves && replaced === leader) {
      const transfer = this.#transfer(row, 'yield-office');
      // With no other voter the learner must become one before it can be given the office.
      if (typeof transfer !== 'string' || census.voters > 1) return transfer;
      return this.#promote(row, node, null);
    }
    const liveAfter = census.live + 1 - (leaves ? (nodes.heard[replaced] as number) : 0);
    if (liveAfter < majority(census.voters + (leaves ? 0 : 1))) return 'unsafe-quorum';
    return this.#promote(row, node, leaves ? replaced : null);
  }

  #promote(row: number, node: number, removes: number | null): Operation {
    const { nodes } = this.#state;
    return {
      ...this.#decided(row, 'complete-move'),
      kind: 'promote',
      node: nodes.id(node),
      removes: removes === null ? null : nodes.id(removes),
    };
  }

  /** The voter that a shard can best do without. */
  #dropVoter(row: number, census: Census): Decision {
    const { shards, nodes } = this.#state;
    const leader = shards.leader[row] as number;
    let [worst, badness] = [-1, -1];
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0 || shards.role[at] !== roleCodes.voter) continue;
      const its =
        (node === shards.replaces[row] ? 1e6 : 0) +
        (nodes.lost[node] === 1 ? 1e5 : 0) +
        (at === census.unwelcome ? 1e4 : 0) +
        (nodes.heard[node] === 0 ? 1e3 : 0) +
        100 * this.#companions(row, node) +
        (node === leader ? 0 : 10) +
        Math.min(9, this.#tally.crowding(row, node));
      if (its > badness || (its === badness && nodes.id(node) < nodes.id(worst)))
        [worst, badness] = [node, its];
    }
    if (worst === leader) return this.#transfer(row, 'yield-office', worst);
    if (census.live - (nodes.heard[worst] as number) < majority(census.voters - 1)) return 'unsafe-quorum';
    return this.#remove(row, worst, 'drop-surplus');
  }

  /** Voters in the zone of a node. */
  #companions(row: number, node: number): number {
    const { shards, nodes } = this.#state;
    let count = 0;
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const other = shards.node[at] as number;
      if (other >= 0 && shards.role[at] === roleCodes.voter && nodes.zone[other] === nodes.zone[node])
        count += 1;
    }
    return count;
  }

  /** Of the fullest zone the replica whose node has most, the leader only if there is no other. */
  #crowdedVoter(row: number): number {
    const { shards, nodes } = this.#state;
    let [worst, badness] = [-1, -Infinity];
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0 || shards.role[at] !== roleCodes.voter) continue;
      const its =
        1000 * this.#companions(row, node) +
        (node === shards.leader[row] ? 0 : 100) +
        Math.min(99, this.#tally.crowding(row, node));
      if (its > badness || (its === badness && nodes.id(node) < nodes.id(shards.node[worst] as number))) {
        [worst, badness] = [at, its];
      }
    }
    return worst;
  }

  #add(row: number, leaving: number, reason: Reason, trace: Trace | null): Decision {
    const { nodes, shards } = this.#state;
    const refusal = this.refusalOfSending(row);
    if (refusal !== null) return refusal;
    const target = this.#targets.forRule(row, leaving, reason === 'spread-zones', trace);
    if (typeof target === 'string') return target;
    const replaces = leaving < 0 ? null : nodes.id(shards.node[leaving] as number);
    return { ...this.#decided(row, reason), kind: 'add-learner', node: nodes.id(target), replaces };
  }

  /** The data of a learner comes from the leader. */
  refusalOfSending(row: number): Refusal | null {
    const leader = this.#state.shards.leader[row] as number;
    return (this.#tally.movesOut[leader] as number) >= this.#state.settings.movesOutPerNode
      ? 'moves-out'
      : null;
  }

  #transfer(row: number, reason: Reason, avoided = -1): Decision {
    const { shards, nodes, settings } = this.#state;
    const tally = this.#tally;
    const leader = shards.leader[row] as number;
    if ((tally.transfers[leader] as number) >= settings.transfersPerNode) return 'transfers';
    let [best, level] = [-1, Infinity];
    let refusal: Refusal = 'not-voter';
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0 || node === leader || node === avoided || node === shards.replaces[row]) continue;
      if (shards.role[at] !== roleCodes.voter || nodes.heard[node] === 0) continue;
      if ((tally.transfers[node] as number) >= settings.transfersPerNode) {
        refusal = 'transfers';
        continue;
      }
      const penalty = (nodes.isServing(node) ? 0 : 1000) + (nodes.steady[node] === 1 ? 0 : 100);
      const its = penalty + Math.min(99, tally.level(2, node) + tally.level(3, node));
      if (its < level || (its === level && nodes.id(node) < nodes.id(best))) [best, level] = [node, its];
    }
    if (best < 0) return refusal;
    // From one node that is to be empty to another nothing would be won.
    if (reason === 'leave-draining' && !nodes.isServing(best)) return 'draining';
    const ends = { from: nodes.id(leader), to: nodes.id(best) };
    return { ...this.#decided(row, reason), kind: 'transfer-leader', ...ends };
  }

  #remove(row: number, node: number, reason: Reason): Operation {
    return { ...this.#decided(row, reason), kind: 'remove', node: this.#state.nodes.id(node) };
  }

  #decideRange(row: number, trace: Trace | null): Decision {
    const { shards, settings } = this.#state;
    const wanted = shards.need[row];
    if (wanted === need.split) {
      const reason = (shards.bytes[row] as number) > settings.splitBytes ? 'split-size' : 'split-load';
      return { ...this.#decided(row, reason), kind: 'split' };
    }
    return wanted === need.merge ? this.#merge(row, trace) : 'rules-kept';
  }

  /** A shard can be merged where its neighbour is; the smaller trouble is to bring it there first. */
  #merge(row: number, trace: Trace | null): Decision {
    const { shards, nodes } = this.#state;
    const right = shards.rowOf(shards.right[row] as number);
    // From the right end of a chain: otherwise each would run after one that runs itself.
    if (shards.need[right] !== need.nothing || shards.operations.has(right)) return 'neighbour-first';
    // Beside a neighbour that is not where it should be the shard would only have to leave again.
    if (this.#tally.touched.has(right) || this.#state.spreadOf(right) >= 2) return 'neighbour-first';
    let missing = -1;
    for (let at = right * shards.stride; at < (right + 1) * shards.stride; at += 1) {
      const its = shards.node[at] as number;
      if (its >= 0 && shards.role[at] !== roleCodes.voter) return 'neighbour-first';
      if (its >= 0 && shards.slotOn(row, its) < 0) missing = its;
    }
    const alien = this.#alienBeside(row, right, missing);
    const decided = this.#decided(row, 'merge-small');
    if (missing < 0 && alien < 0) {
      return { ...decided, kind: 'merge', into: shards.id[right] as number, intoEpoch: shards.epoch(right) };
    }
    if (missing < 0 || alien < 0) return 'neighbour-first';
    const refusal = this.refusalOfSending(row) ?? this.#targets.refusalOf(row, missing);
    trace?.push({ node: nodes.id(missing), refusal });
    if (refusal !== null) return refusal;
    const ends = { node: nodes.id(missing), replaces: nodes.id(alien) };
    return { ...decided, reason: 'align-merge', kind: 'add-learner', ...ends };
  }

  /** Of the replicas whose nodes the neighbour is not on one in the zone of the newcomer, and no leader, if possible. */
  #alienBeside(row: number, right: number, missing: number): number {
    const { shards, nodes } = this.#state;
    let [best, merit] = [-1, -1];
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const own = shards.node[at] as number;
      if (own < 0 || shards.slotOn(right, own) >= 0) continue;
      const its =
        (missing >= 0 && nodes.zone[own] === nodes.zone[missing] ? 2 : 0) +
        (own === shards.leader[row] ? 0 : 1);
      if (its > merit) [best, merit] = [own, its];
    }
    return best;
  }

  #decided(row: number, reason: Reason): { shard: number; epoch: Operation['epoch']; reason: Reason } {
    const { shards } = this.#state;
    return { shard: shards.id[row] as number, epoch: shards.epoch(row), reason };
  }
}
