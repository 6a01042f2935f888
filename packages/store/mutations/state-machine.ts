import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const sessions = 'packages/store/src/sessions/sessions.ts';
const state = 'packages/store/src/mvcc/state.ts';
const retries = 'packages/server/simulation/scenarios/retries-run.ts';
const oneShots = 'packages/server/simulation/scenarios/one-shots-run.ts';
const cluster = 'packages/server/simulation/cluster/cluster-run.ts';

/** What can go wrong where entries become state: sessions, revisions, watches, and whatever makes replicas differ. */
export const mutations: readonly Mutation[] = [
  {
    number: 21,
    name: 'snapshot without the sessions',
    description:
      'A member that came by a snapshot does not know what was executed: a retry counts twice there.',
    file: 'packages/store/src/snapshot-stream.ts',
    find: "    yield* frames.table('system', systemEntries(layers));\n",
    replace: '',
    scenario: retries,
    seeds: 20,
  },
  {
    number: 21,
    name: 'sessions not looked for when the state is opened',
    description: 'A member that restarted answers a retry otherwise than the others.',
    file: sessions,
    find: '      this.#sessions.set(session.id, session);\n      this.#bytes',
    replace: '      this.#bytes',
    scenario: retries,
    seeds: 20,
  },
  {
    number: 29,
    name: 'session stamped with a number of the member’s own',
    description: 'Members differ in what was used when, and so in what they forget first.',
    file: sessions,
    find: 'session.usedAt = index;',
    replace:
      'const own = globalThis as { uses?: number };\n    own.uses = (own.uses ?? 0) + 1;\n    session.usedAt = index + own.uses;',
    scenario: retries,
    seeds: 20,
  },
  {
    number: 29,
    name: 'deletions in an order that depends on what is stored',
    description: 'One revision has its events in another order on a member whose commit is late.',
    file: state,
    find: 'const victims = this.#inRange(request);',
    replace:
      'const victims = this.#inRange(request);\n    if (this.layers.frozen.length > 0) victims.reverse();',
    scenario: cluster,
    seeds: 200,
  },
  {
    number: 30,
    name: 'revision falls back in a restart after a compaction',
    description: 'The same revision is given twice, and watches go back in time.',
    file: state,
    find: 'this.revision = summary.revision;',
    replace: 'this.revision = summary.revision - (summary.compactRevision > 0 ? 1 : 0);',
    scenario: cluster,
    seeds: 200,
  },
  {
    number: 30,
    name: 'write that changes nothing takes a revision',
    description: 'Revisions have gaps: a reader who waits for the next one waits for ever.',
    file: state,
    find: 'if (this.#sub === 0) return;',
    replace: '',
    scenario: cluster,
    seeds: 20,
  },
  {
    number: 31,
    name: 'watch skips the revision after what it read of history',
    description: 'A watcher that catches up does not get the first event that comes after.',
    file: 'packages/store/src/watch/local-feed.ts',
    find: 'watcher.nextRevision = through + 1;',
    replace: 'watcher.nextRevision = through + 2;',
    scenario: cluster,
    seeds: 50,
  },
  {
    number: 35,
    name: 'retry executed again',
    description: 'The reply is kept and not looked for.',
    file: sessions,
    find: 'if (record === null) return null;\n    const { digest',
    replace: 'if (record === null || position.index > 0) return null;\n    const { digest',
    scenario: retries,
    seeds: 20,
  },
  {
    number: 35,
    name: 'refused requests not remembered',
    description: 'A retry is executed by then though the client may have been told that it was refused.',
    file: 'packages/store/src/applied-state.ts',
    find: '    this.sessions.remember(session, proposal, result, position);',
    replace: "    if (result.kind !== 'error') this.sessions.remember(session, proposal, result, position);",
    scenario: retries,
    seeds: 20,
  },
  {
    number: 35,
    name: 'late copy executed after its reply was dropped',
    description: 'The client is done with it, so nothing is kept of it, and it counts as new.',
    file: sessions,
    find: '    if (asked.request <= session.floor) return refusal(sessionErrors.tooOld);\n',
    replace: '',
    scenario: retries,
    seeds: 50,
  },
  {
    number: 35,
    name: 'forgotten session begun anew',
    description: 'Its first request comes again and is executed twice.',
    file: sessions,
    find: 'asked.request === 1 && !this.#forgotten.has(asked.id)',
    replace: 'asked.request === 1',
    scenario: oneShots,
    seeds: 3,
  },
];
