import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const machine = 'packages/store/src/shard/shard-machine.ts';
const replica = 'packages/store/src/shard/shard-replica.ts';
const snapshot = 'packages/store/src/shard/shard-snapshot.ts';
const spans = 'packages/store/src/node-store/shared-shard-store.ts';
const events = 'packages/store/src/watch/read-events.ts';
const merged = 'packages/store/src/watch/merged-history.ts';
const parts = 'packages/server/src/shards/part-reader.ts';
const coordinator = 'packages/server/src/shards/coordinator.ts';
const table = 'packages/server/src/shards/replica-table.ts';
const orderLeader = 'packages/store/src/order/order-leader.ts';

function bug(
  number: number,
  name: string,
  description: string,
  file: string,
  find: string,
  replace: string,
): Mutation {
  const scenario = 'packages/server/simulation/transactions/sharded-run.ts';
  const isLong = true;
  return { number, name: `shards: ${name}`, description, file, find, replace, scenario, seeds: 120, isLong };
}

/** What replicas do with the store that they share: found where they are compared with machines that never crashed. */
function ofReplicas(
  number: number,
  name: string,
  description: string,
  file: string,
  find: string,
  replace: string,
): Mutation {
  const scenario = 'packages/store/test/shard-replicas-run.ts';
  return { number, name: `replicas: ${name}`, description, file, find, replace, scenario, seeds: 60 };
}

/** Rare ones: histories of the machines that were written down for them. */
function ofMachines(
  number: number,
  name: string,
  description: string,
  file: string,
  find: string,
  replace: string,
): Mutation {
  const scenario = 'packages/store/simulation/ordering/scripted-run.ts';
  return { number, name: `machines: ${name}`, description, file, find, replace, scenario, seeds: 1 };
}

/** What can go wrong in whole members whose shards are split, merged and moved: transactions over them are what notices. */
export const mutations: readonly Mutation[] = [
  bug(
    33,
    'the old owner takes writes of an earlier epoch',
    'A request that was routed before a split is carried out by who had the keys then.',
    machine,
    'const isMine = entry.range === this.epoch.range && this.owns(item.footprint.spans);',
    'const isMine = entry.range <= this.epoch.range;',
  ),
  bug(
    33,
    'both sides of a split have the keys of the child',
    'Both serve them, each at its own epoch.',
    machine,
    "    this.#narrow(change.span);\n    this.#end('changed', change.range);",
    "    this.#end('changed', change.range);",
  ),
  ofMachines(
    34,
    'the memory of requests stays with the parent of a split',
    'A retry that finds its keys with the child is carried out again.',
    machine,
    '    this.memory.unite(parent.memory, fact.revision);\n',
    '',
  ),
  ofMachines(
    34,
    'the memory of requests is lost in a merge',
    'A retry that finds its keys with the survivor is carried out again.',
    machine,
    '    this.memory.unite(drained.memory, fact.revision);\n',
    '',
  ),
  ofMachines(
    34,
    'a neighbour is taken over before it has everything',
    'Writes that it accepted before it was frozen, and that this node has not heard of, are gone.',
    machine,
    "return this.life !== 'serving' && this.ordered >= upTo && this.isDrained;",
    "return this.life !== 'serving';",
  ),
  bug(
    34,
    'a shard changes its range with writes that have no number',
    'They are accepted, and in neither of the two shards that there are afterwards.',
    'packages/server/src/shards/shard-lead.ts',
    'if (barrier === null || !machine.isDrained) return;',
    'if (barrier === null) return;',
  ),
  ofReplicas(
    34,
    'a snapshot of a shard leaves out what has no number yet',
    'Who is given it numbers other writes than all others.',
    machine,
    'pending: this.#overlay?.pending ?? [],\n',
    'pending: [],\n',
  ),
  ofReplicas(
    34,
    'a snapshot of a shard leaves out the memory of requests',
    'A replica that has moved carries a retry out again.',
    snapshot,
    'if (record !== null) records.push([key, record]);',
    'if (record !== null && key[0] !== 17) records.push([key, record]);',
  ),
  ofReplicas(
    34,
    'a snapshot comes in over the keys of a neighbour',
    'Two replicas of a node claim one key, and the rows of one are taken away with the other.',
    replica,
    'return !this.#ended && this.#parts.store.hasRoom(span, this.#state === null ? null : this.id);',
    'return !this.#ended && span !== null;',
  ),
  bug(
    34,
    'a child writes its events where its parent does',
    'They are read twice, or go when those of the parent go.',
    spans,
    'this.#scope.logs.close(this.#scope.span, keys.revision);',
    '',
  ),
  bug(
    36,
    'a cross-shard transaction is aborted by one who has said yes',
    'A shard that is to change its range gives its locks up; the others commit.',
    machine,
    '    this.barrier = change;\n  }',
    '    this.barrier = change;\n    this.#prepared = new PreparedTransactions();\n  }',
  ),
  bug(
    36,
    'a transaction is decided by the first vote',
    'Others have not promised anything yet, and the decision is announced all the same.',
    orderLeader,
    `    if (trees.includes(undefined)) return null;
    const tally = tallyOf(trees as VoteTree[]);`,
    `    const [first] = trees.filter((tree) => tree !== undefined);
    if (first === undefined) return null;
    const tally = tallyOf([first] as VoteTree[]);`,
  ),
  bug(
    36,
    'a transaction is answered with the parts that are there',
    'What the other shards say is left out of the answer.',
    coordinator,
    'return error !== null || participants.every((shard) => parts.has(shard));',
    'return error !== null || participants.some((shard) => parts.has(shard));',
  ),
  bug(
    36,
    'a read over shards does not wait for what they were told',
    'One shard shows a transaction that another one does not show yet.',
    parts,
    '  if (!machine.serves([span], lastFact)) return behind;\n',
    '',
  ),
  bug(
    31,
    'a watch is told by a replica that is behind',
    'The events of a shard that comes late are never told.',
    events,
    'if (!shard.serves(spans, lastFact)) {',
    'if (!shard.serves(spans, 0)) {',
  ),
  bug(
    31,
    'shards that a transaction has written in are taken for idle',
    'Their events are not asked for.',
    merged,
    '      for (const { participants } of entry.decisions) {\n        for (const shard of participants) this.#writes.set(shard, index);\n      }\n',
    '',
  ),
  bug(
    31,
    'the events of shards are told one shard after the other',
    'Revisions come out of their order, and transactions in pieces.',
    merged,
    'return { events: events.sort(compareEvents), through: this.through, missing };',
    'return { events, through: this.through, missing };',
  ),
  {
    number: 37,
    name: 'shards: who lacks a neighbour waits for it for ever',
    description: 'It was never here, or is gone: nothing but a snapshot of what came of it helps.',
    file: table,
    find: 'if ((group.status().held?.forMs ?? 0) > limits.heldPatienceMs) group.requestSnapshot();',
    replace: '',
    scenario: 'packages/server/simulation/shards/lost-neighbour-run.ts',
    seeds: 1,
  },
];
