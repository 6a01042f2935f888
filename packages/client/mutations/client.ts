import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const scenario = 'packages/server/simulation/client/client.ts';
const source = 'packages/client/src';

/** What goes wrong for its users when the client forgets one of its rules. */
export const mutations: readonly Mutation[] = [
  {
    number: 36,
    name: 'repeats a write under another name',
    description: 'The server takes the second try of a write for another write, and executes both.',
    file: `${source}/connection/requester.ts`,
    find: 'if (takes) this.#ticket ??= sessions.begin()',
    replace: 'if (takes) this.#ticket = sessions.begin()',
    scenario,
    seeds: 40,
  },
  {
    number: 36,
    name: 'watches on behind the revision that comes next',
    description: 'What was written while a watch had no connection never comes.',
    file: `${source}/watch/watcher.ts`,
    find: '      startRevision: this.#next,',
    replace: '      startRevision: this.#next <= 1 ? this.#next : this.#next + 1,',
    scenario,
    seeds: 40,
  },
  {
    number: 36,
    name: 'waits for nobody before it holds a lock',
    description: 'Two hold it, and write past each other.',
    file: `${source}/concurrency/queue.ts`,
    find: 'if (neighbour === undefined) return',
    replace: 'if (neighbour === undefined || place.revision > 0) return',
    scenario,
    seeds: 20,
  },
  {
    number: 36,
    name: 'commits on what others have changed',
    description: 'Two software transactions have read the same number, and one of their increments is lost.',
    file: `${source}/kv/stm.ts`,
    find: "when.modRevision(key, '=', (await entry)?.modRevision ?? 0)",
    replace: "when.modRevision(key, '>', (await entry) === null ? -1 : -2)",
    scenario,
    seeds: 20,
  },
];
