import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const machine = 'packages/store/src/shard/shard-machine.ts';
const shardLeader = 'packages/store/src/shard/shard-leader.ts';
const order = 'packages/store/src/order/order-machine.ts';
const orderLeader = 'packages/store/src/order/order-leader.ts';
const chain = 'packages/store/src/order/fact-chain.ts';
const chains = 'packages/store/src/order/fact-chains.ts';
const cluster = 'packages/store/simulation/ordering/cluster.ts';
const configuration = 'packages/store/src/order/cluster-configuration.ts';
const leaseRules = 'packages/store/src/order/lease-rules.ts';
const registry = 'packages/store/src/order/lease-registry.ts';

function rule(name: string, description: string, file: string, find: string, replace: string): Mutation {
  const scenario = 'packages/store/simulation/ordering/ordering-run.ts';
  return { number: 40, name, description, file, find, replace, scenario, seeds: 2_000 };
}

/** One that a search notices rarely: a history that was written down for it. */
function rare(name: string, description: string, file: string, find: string, replace: string): Mutation {
  const scenario = 'packages/store/simulation/ordering/scripted-run.ts';
  return { number: 40, name, description, file, find, replace, scenario, seeds: 1 };
}

/** The rules of docs/ordering.md, each of them switched off. */
export const mutations: readonly Mutation[] = [
  rare(
    'rule 5: what changed nothing is answered before all facts are there',
    'Its header names a revision whose writes it may not have seen.',
    shardLeader,
    'if (read.frontier === null || !hasAll(machine, order, read.frontier.index)) return true;',
    'if (read.frontier === null) return true;',
  ),
  rule(
    'rule 5: no bound',
    'It is answered at the frontier, beyond a write that came after it.',
    shardLeader,
    'Math.min(frontier.revision, outcome.bound ?? Infinity)',
    'frontier.revision',
  ),
  rare(
    'rule 5: an error about the future is answered at the frontier',
    'By then the revision may be there, and the error is none.',
    machine,
    "return result.kind === 'error' && result.error === etcdErrors.futureRevision ? this.known : null;",
    "return result.kind === 'error' && result.error === etcdErrors.futureRevision ? null : null;",
  ),
  rare(
    'rule 7: a range is filtered before its own revision is known',
    'A key that the transaction itself puts is in its answer, or not, by a revision that stands for the real one.',
    'packages/store/src/shard/write-request.ts',
    'return this.#puts && this.#filters;',
    'return false;',
  ),
  rare(
    'rule 7: only the first leader fetches the frontier',
    'When it goes, a request that names a later revision waits for ever, and all behind it.',
    shardLeader,
    'this.#wanted === null ? machine.frontierWantedAt : null',
    'null',
  ),
  rare(
    'rule 5: a frontier answers for who came after it was asked for',
    'It may be older than what its client has seen.',
    shardLeader,
    'for (const read of reads) read.frontier = frontier;',
    'for (const read of this.#reads) read.frontier ??= frontier;',
  ),
  rule(
    'rule 5: what changed nothing is not remembered',
    'A late copy takes effect after its client was told that nothing changed.',
    machine,
    '    this.memory.remember(origin, outcome);\n',
    '    if (effective) this.memory.remember(origin, outcome);\n',
  ),
  rare(
    'rule 8: voted seq not included',
    'A transaction is ordered before writes that it has seen.',
    orderLeader,
    '      for (const [shard, { seq }] of ballot.votes) raise(counts, machine, shard, seq);\n',
    '',
  ),
  rule(
    'rule 8: decision forgotten where nothing was prepared',
    'A late Prepare locks for ever, or half of a transaction is committed.',
    machine,
    '      this.memory.decided(decision);\n      return;',
    '      return;',
  ),
  rule(
    'rule 8: votes sent once',
    'A vote is lost, or the leader that had it, and its locks stay.',
    cluster,
    '      for (const vote of shard.votes()) this.#sendVote(vote);\n',
    '',
  ),
  rare(
    'rule 8: votes below the floor ignored',
    'A late Prepare of a finished request keeps its locks.',
    orderLeader,
    '    if (machine.decisionOf(transaction) !== null) return;\n    let ballot',
    '    if (machine.decisionOf(transaction) !== null || machine.isFinished(vote.origin)) return;\n    let ballot',
  ),
  rare(
    'rule 13: range changes outside of the order',
    'A replica that has not heard of a split is taken for complete, and serves keys of the child.',
    chain,
    'if (fact.index <= index) return fact.index;',
    "if (fact.index <= index && fact.change?.kind !== 'split' && fact.change?.kind !== 'absorbs') return fact.index;",
  ),
  rare(
    'rule 13: own range not checked by readers',
    'A route is stale, and what is not there is answered as absent.',
    machine,
    'return this.ordered >= lastFact && this.owns(spans);',
    'return this.ordered >= lastFact;',
  ),
  rule(
    'rule 13: a refused change keeps the version',
    'A late copy of its proposal changes a shard that writes again.',
    order,
    "      this.configuration.refuse(change, this.#place);\n      this.#say(change.shard, { kind: 'refused', range: range + 1 });",
    "      this.#say(change.shard, { kind: 'refused', range });",
  ),
  rule(
    'rule 13: what is remembered moves behind the barrier',
    'Replicas of the neighbour take over different memories.',
    machine,
    'isLetIn ? this.memory.recall(entry.origin) : this.memory.look(entry.origin)',
    'this.memory.recall(entry.origin)',
  ),
  rare(
    'rule 7: no wait for a pending number',
    'A compare with a revision that is about to be assigned is answered by a guess.',
    machine,
    "    if (horizon > this.known && overlay.touches(spans)) return !this.#wait('number');\n",
    '',
  ),
  rule(
    'rule 14: leases not registered',
    'A revocation does not reach a shard that has keys of the lease.',
    leaseRules,
    'if (this.#leases.register(lease, shard)) this.#order.say(',
    'if (!lease.shards.has(shard)) this.#order.say(',
  ),
  rule(
    'rule 14: a split does not register the child',
    'Keys of the lease that are the child’s outlive it.',
    order,
    '    this.leases.split(shard, child);\n',
    '',
  ),
  rare(
    'rule 14: registered outside of the chain of facts',
    'A registration that comes again gives a lease back that is gone.',
    machine,
    '    if (fact.previous !== this.ordered) return;\n',
    "    if (fact.change?.kind === 'registered') this.#leases.add(fact.change.lease);\n    if (fact.previous !== this.ordered) return;\n",
  ),
  rare(
    'rule 14: a lease that is not registered is none',
    'The error is given where nobody has asked the order group.',
    machine,
    '!this.#leases.has(lease) && !entry.absent.includes(lease)',
    'lease < 0n && !entry.absent.includes(lease)',
  ),
  rare(
    'rule 6: errors not remembered',
    'A late copy takes effect after its client was told of the error.',
    machine,
    '    const outcome = effective ? this.#written(origin, result) : this.#unchanged(origin, result);\n    this.memory.remember(origin, outcome);\n',
    "    const outcome = effective ? this.#written(origin, result) : this.#unchanged(origin, result);\n    if (result.kind !== 'error') this.memory.remember(origin, outcome);\n",
  ),
  rule(
    'rule 6: requests not looked for in memory',
    'A request that comes again is executed again.',
    machine,
    "        this.#effects.push({ kind: 'outcome', origin: entry.origin, outcome: recalled, known: true });\n",
    "        if (entry.kind === 'request') return false;\n",
  ),
  rare(
    'rule 13: a shard that is not in the map yet is gone',
    'A node whose order is behind takes away the only replicas of a shard that has just begun.',
    order,
    'shard < this.#nextShard && this.map.row(shard) === null',
    'this.map.row(shard) === null',
  ),
  rare(
    'rule 6: memory not copied at a split',
    'A request that comes again is executed again by the child.',
    machine,
    '    this.memory.unite(parent.memory, fact.revision);\n',
    '',
  ),
  rule(
    'rule 2: reports are counted up',
    'A report that comes twice numbers writes that are not there.',
    orderLeader,
    'this.#seqs.set(shard, Math.max(this.#seqs.get(shard) ?? 0, seq));',
    'this.#seqs.set(shard, (this.#seqs.get(shard) ?? 0) + seq);',
  ),
  rule(
    'rule 12: epoch not checked at apply',
    'A request for keys that the shard has no more is executed by it.',
    machine,
    'const isMine = entry.range === this.epoch.range && this.owns(item.footprint.spans);',
    'const isMine = entry.range >= 0;',
  ),
  rare(
    'rule 14: what is left of a lease is taken from before its renewal',
    'After an election it ends although its client was heard of.',
    registry,
    '    if (lease.generation !== generation) return false;\n',
    '',
  ),
  rare(
    'rule 14: elections forget what is left of a lease',
    'Its time begins again with each of them, and it never ends.',
    registry,
    '    lease.remaining = Math.min(remaining, lease.ttl);\n',
    '',
  ),
  rare(
    'rule 14: registrations are not written down',
    'After a crash a revocation does not reach a shard that has keys of the lease.',
    registry,
    '    lease.shards.add(shard);\n    this.#changed.add(lease);\n',
    '    lease.shards.add(shard);\n',
  ),
  rule(
    'rule 4: what was said to a shard is not written down',
    'After a crash a fact is missing in its chain, and the shard waits for ever.',
    chains,
    '    this.#speaking.add(chain);\n    this.#changed.add(shard);\n',
    '    this.#speaking.add(chain);\n',
  ),
  rare(
    'rule 17: a stale controller is let in',
    'Replicas go where somebody wanted them before somebody else did.',
    configuration,
    "    if (this.since(shard) > configuration) return 'stale';\n",
    '',
  ),
];
