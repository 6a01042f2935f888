import { apply } from './bugs-of-apply.ts';
import { compaction } from './bugs-of-compaction.ts';
import { snapshots } from './bugs-of-snapshots.ts';
import { watches } from './bugs-of-watches.ts';

/** A bug that etcd has shipped, brought about as far as its circumstances go. */
export interface EtcdBug {
  /** Of etcd-io/etcd. */
  readonly issue: number;
  /** As etcd's list of what its robustness tests have to find has it. */
  readonly name: string;
  /** What Flotilla does in the same circumstances. */
  readonly claim: string;
  /** Rejects when it does not. Equal seeds give equal runs. */
  readonly scenario: (seed: number) => Promise<void>;
}

/**
 * The track record of etcd's robustness tests: every bug of consistency that etcd has shipped, and whose report tells the
 * circumstances. Each is one scenario; `docs/regressions.md` is the list for readers.
 */
export const etcdBugs: readonly EtcdBug[] = [...apply, ...watches, ...compaction, ...snapshots].sort(
  (one, other) => one.issue - other.issue,
);
