import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const host = 'packages/raft/src/host';
const scenario = 'packages/raft/simulation/host-snapshots.ts';

/** What can go wrong with snapshots between a state, a log, and a peer that sends or takes them. */
export const mutations: readonly Mutation[] = [
  {
    number: 20,
    name: 'damaged snapshot installed as far as it came',
    description: 'What had come in before the damage becomes the state, at the index of the whole.',
    file: `${host}/snapshot-receive.ts`,
    find: "    this.abort('FLOTILLA_SNAPSHOT_DAMAGED');",
    replace: '    this.#isWhole = true;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 20,
    name: 'index moved before the data is there',
    description: 'The log goes on from a snapshot that the state machine is still taking in.',
    file: `${host}/snapshot-receive.ts`,
    find: '    await sink.finish();',
    replace: '    void sink.finish();',
    scenario,
    seeds: 1_000,
  },
  {
    number: 20,
    name: 'snapshot that is behind the state taken for news',
    description: 'A late offer takes a member back that has gone on from its log meanwhile.',
    file: `${host}/group-snapshots.ts`,
    find: 'return begin.session > 0 && begin.meta.index > this.#view.commit;',
    replace: 'return begin.session > 0;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 22,
    name: 'snapshot with the term of its sender',
    description: 'Its last entry seems to be of another term than in every log, and matches in none.',
    file: `${host}/group-snapshots.ts`,
    find: 'index > 0 ? { index, term, configuration } : null;',
    replace: 'index > 0 ? { index, term: (term + 1) as Term, configuration } : null;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 22,
    name: 'log compacted under the term of the present',
    description: 'The entry before the log is remembered with a term that it never had.',
    file: `${host}/group-compaction.ts`,
    find: 'const meta = { index: through, term, configuration };',
    replace: 'const meta = { index: through, term: this.#view.term, configuration };',
    scenario,
    seeds: 1_000,
  },
];
