import type { Mutation } from '../../../scripts/mutations/mutation.ts';

/** A scenario's seeds are places in the list of `docs/regressions.md`, from 1. */
const scenario = 'packages/server/simulation/regressions/etcd-bugs-run.ts';

/** Bugs that etcd has shipped, as they would look here. */
export const mutations: readonly Mutation[] = [
  {
    number: 31,
    name: 'progress told to a stream with a watch that is behind',
    description: 'What the notice promises to have been delivered comes later (etcd-io/etcd #15220).',
    file: 'packages/store/src/watch/stream.ts',
    find: "if (watcher.state !== 'synced' || watcher.startRevision > revision) return false;",
    replace: 'if (watcher.startRevision > revision) return false;',
    scenario,
    seeds: 17,
  },
  {
    number: 31,
    name: 'what a slow stream did not take is forgotten',
    description:
      'A watch that falls behind goes on after the event that it was not sent (etcd-io/etcd #17529).',
    file: 'packages/store/src/watch/local-feed.ts',
    find: 'this.#parts.watchers.fallBehind(watcher, revisionOf(batch[0] as Event));',
    replace: 'this.#parts.watchers.fallBehind(watcher, revisionOf(batch[0] as Event) + 1);',
    scenario,
    seeds: 17,
  },
  {
    number: 31,
    name: 'watch from the future begins with the snapshot',
    description: 'It is told of revisions before the one that it asked for (etcd-io/etcd #20221).',
    file: 'packages/store/src/watch/hub.ts',
    find: 'this.#watchers.fallBehind(watcher, Math.max(watcher.nextRevision, before + 1));',
    replace: 'this.#watchers.fallBehind(watcher, before + 1);',
    scenario,
    seeds: 17,
  },
];
