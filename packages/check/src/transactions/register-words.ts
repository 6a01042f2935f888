import { present } from '../assert.ts';
import type { CycleWords } from './cycles.ts';
import type { RegisterCall } from './read-write-registers.ts';
import type { RegisterDependency, RegisterGraph } from './register-dependencies.ts';

/** One line: `transaction 4 of client 1 (read x, write 7 to y)`. */
export function describeRegisters({ id, client, operation }: RegisterCall): string {
  const steps = operation.map((step) => {
    switch (step.type) {
      case 'read':
        return `read ${step.key}`;
      case 'expect':
        return step.version === 0 ? `expect no ${step.key}` : `expect ${step.key} at ${step.version}`;
      case 'write':
        return `write ${step.value} to ${step.key}`;
    }
  });
  return `transaction ${id} of client ${client} (${steps.join(', ')})`;
}

/** How cycles of transactions on registers are told. */
export function registerWords({ transactions }: RegisterGraph): CycleWords<RegisterDependency> {
  return {
    checker: 'registers',
    nameOf,
    describe: (at) => describeRegisters(present(transactions[at], 'a transaction')),
    reasonOf: ({ type, key, version, isPhantom }, other) => {
      switch (type) {
        case 'ww':
          return `wrote ${key} right before version ${version} of ${other}`;
        case 'wr':
          return `wrote version ${version} of ${key}, which ${other} read`;
        case 'rw':
          return `${isPhantom ? `found no ${key}` : `read ${key}`} before version ${version} of ${other}`;
      }
    },
  };
}

/** Adya's phenomena: of two anti-dependencies and more, those of items only are told from those with phantoms. */
function nameOf(path: readonly RegisterDependency[]): string {
  const reads = path.filter(({ type }) => type === 'rw');
  if (reads.length > 1) return reads.some(({ isPhantom }) => isPhantom) ? 'G2' : 'G2-item';
  if (reads.length === 1) return 'G-single';
  return path.some(({ type }) => type === 'wr') ? 'G1c' : 'G0';
}
