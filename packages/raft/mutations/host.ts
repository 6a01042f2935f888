import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const host = 'packages/raft/src/host';
const scenario = 'packages/raft/simulation/host.ts';

/** What can go wrong between a core, its log, its peers and its state machine. */
export const mutations: readonly Mutation[] = [
  {
    number: 12,
    name: 'host takes a record for durable that it has only handed over',
    description: 'Votes and acknowledgements leave before what they depend on, and a crash takes it back.',
    file: `${host}/host-turn.ts`,
    find: 'log.append(records).then(() => this.#persisted(records), fail);',
    replace: 'log.append(records).catch(fail);\n    this.#persisted(records);',
    scenario,
    seeds: 1_000,
  },
  {
    number: 16,
    name: 'read does not wait for the state machine',
    description: 'The index is confirmed, and the read is served from a state that has not reached it.',
    file: `${host}/reads.ts`,
    find: 'if (index <= applied) this.#resolve(round);',
    replace: 'if (index <= applied || index > 0) this.#resolve(round);',
    scenario,
    seeds: 300,
  },
  {
    number: 16,
    name: 'read joins a round that is on its way',
    description: 'A caller is answered with an index that was asked for before it called.',
    file: `${host}/reads.ts`,
    find: 'this.#rounds.delete(round);\n    for (const asked of round.refs) this.#byRef.delete(asked);\n    round.index = index;',
    replace: `this.#rounds.delete(round);
    for (const asked of round.refs) this.#byRef.delete(asked);
    round.waiters = [...round.waiters, ...this.#waiting];
    this.#waiting = [];
    round.index = index;`,
    scenario,
    seeds: 1_000,
  },
  {
    number: 20,
    name: 'cut snapshot taken for a whole one',
    description: 'The log goes on from a snapshot of which only a part is in the state machine.',
    file: `${host}/group-snapshots.ts`,
    find: 'if (whole) installed(link, begin);',
    replace: 'if (whole || begin.session > 0) installed(link, begin);',
    scenario,
    seeds: 1_000,
  },
  {
    number: 20,
    name: 'snapshot forgotten in a crash before its log record',
    description: 'The state machine is ahead of the log after a restart, and the log is believed.',
    file: `${host}/restore.ts`,
    find: 'applied.index > base.index && termAt(recovered, applied.index) !== applied.term',
    replace: 'applied.index > base.index && termAt(recovered, applied.index) === null && base.index < 0',
    scenario,
    seeds: 3_000,
  },
  {
    number: 22,
    name: 'log compacted past what is flushed',
    description: 'A crash takes applied entries from the state machine, and the log no longer has them.',
    file: `${host}/group-compaction.ts`,
    find: 'const flushed = Math.min(this.#stateMachine.flushed.index, applied);',
    replace: 'const flushed = applied;',
    scenario,
    seeds: 300,
  },
  {
    number: 35,
    name: 'proposal repeated though it may be on its way',
    description: 'A new term is taken for a sign that the proposals of that very term are lost.',
    file: `${host}/proposals.ts`,
    find: "if (pending.state === 'sent' && pending.term < term) this.#lost(pending);",
    replace: "if (pending.state === 'sent' && pending.term <= term) this.#lost(pending);",
    scenario,
    seeds: 300,
  },
  {
    number: 35,
    name: 'forwarded proposal repeated though it arrived',
    description: 'After a reconnection everything that was forwarded is taken for lost.',
    file: `${host}/proposals.ts`,
    find: ' || pending.forward <= arrived) continue;',
    replace: ' || pending.forward <= 0) continue;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 35,
    name: 'refused proposal applied after all',
    description: 'The leader says that it did not take a proposal, and takes it.',
    file: `${host}/hosted-group.ts`,
    find: `      this.#context.flushSoon();
      return;
    }
    this.#core.step({ type: 'receive', message });`,
    replace: `      this.#context.flushSoon();
    }
    this.#core.step({ type: 'receive', message });`,
    scenario,
    seeds: 1_000,
  },
  {
    number: 35,
    name: 'answers with the result of an earlier life',
    description: 'Entries that this member proposed before its crash are taken for those it waits for now.',
    file: `${host}/proposals.ts`,
    find: 'return originIncarnation(payload) === this.#incarnation ? pending : undefined;',
    replace: 'return originIncarnation(payload) === -1 ? undefined : pending;',
    scenario,
    seeds: 300,
  },
];
