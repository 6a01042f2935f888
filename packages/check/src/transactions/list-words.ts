import { present } from '../assert.ts';
import type { CycleWords } from './cycles.ts';
import type { ListDependency, ListGraph } from './dependencies.ts';
import { describeTransaction } from './describe-transaction.ts';

/** How cycles of transactions on lists are told. */
export function listWords({ transactions }: ListGraph): CycleWords<ListDependency> {
  return {
    checker: 'list-append',
    nameOf,
    describe: (at) => describeTransaction(present(transactions[at], 'a transaction')),
    reasonOf: ({ type, key, element }, other) => {
      switch (type) {
        case 'ww':
          return `appended to ${key} right before ${element} of ${other}`;
        case 'wr':
          return `appended ${element} to ${key}, which ${other} read`;
        case 'rw':
          return `read ${key} without ${element} of ${other}`;
      }
    },
  };
}

/** Adya's phenomena, as Elle names them. */
function nameOf(path: readonly ListDependency[]): string {
  const reads = path.filter(({ type }) => type === 'rw').length;
  const [first, second] = path;
  const isIntermediate =
    path.length === 2 && first?.key === second?.key && path.some(({ type }) => type === 'wr') && reads === 1;
  if (isIntermediate) return 'G1b';
  // All that is read here has a key: nobody looks for what is not there yet, which would be G2.
  if (reads > 1) return 'G2-item';
  if (reads === 1) return 'G-single';
  return path.some(({ type }) => type === 'wr') ? 'G1c' : 'G0';
}
