import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const scenario = 'packages/server/simulation/transactions/transactions-run.ts';
const txn = 'packages/store/src/mvcc/txn.ts';
const state = 'packages/store/src/mvcc/state.ts';

/** What makes a transaction less than one: the workloads of transactions are what notices. */
export const mutations: readonly Mutation[] = [
  {
    number: 36,
    name: 'transactions: compares are evaluated on a stale view',
    description:
      'What the latest write changed is not compared yet: two transactions read the same and both write.',
    file: txn,
    find: 'const kv = point.layers.latest(compare.key);',
    replace: `const { layers, revision } = point as ReadPoint;
    const newest = layers.latest(compare.key);
    const kv = newest?.modRevision === revision ? layers.visibleAt(compare.key, revision - 1) : newest;`,
    scenario,
    seeds: 60,
  },
  {
    number: 36,
    name: 'transactions: a transaction takes effect in two revisions',
    description: 'Whoever reads or watches in between sees the half of it.',
    file: txn,
    find: "responses.push({ response: { case: 'responsePut', value: state.executePut(request.value) } });",
    replace:
      "responses.push({ response: { case: 'responsePut', value: state.executePut(request.value) } });\n" +
      '        state.end();',
    scenario,
    seeds: 60,
  },
  {
    number: 36,
    name: 'transactions: a range misses what its transaction has put',
    description: 'A transaction does not see its own writes.',
    file: state,
    find: 'return range({ layers, compactRevision, revision: this.readRevision }, request);',
    replace: `const at = request.revision > 0 ? request : { ...request, revision: this.revision };
    return range({ layers, compactRevision, revision: this.readRevision }, at);`,
    scenario,
    seeds: 60,
  },
  {
    number: 36,
    name: 'transactions: of a range only the first key is compared',
    description: 'What came in behind it is a phantom.',
    file: txn,
    find: 'if (matches(compare, cursor.value)) continue;',
    replace: 'if (matches(compare, cursor.value)) break;',
    scenario,
    seeds: 60,
  },
  {
    number: 36,
    name: 'transactions: the ranges of a read are of two moments',
    description:
      'One shows a transaction as done and the other one as not: money is missing, and readers disagree.',
    file: txn,
    find: "responses.push({ response: { case: 'responseRange', value: range(point, operation.value) } });",
    replace: `const isLater = responses.length > 0 && operation.value.revision === 0 && point.revision > 1;
    const request = isLater ? { ...operation.value, revision: point.revision - 1 } : operation.value;
    responses.push({ response: { case: 'responseRange', value: range(point, request) } });`,
    scenario,
    seeds: 60,
  },
  {
    number: 36,
    name: 'transactions: nested compares hold whatever is there',
    description: 'Only the outermost compares count: a transfer pays with money that is gone.',
    file: txn,
    find: "if (operation?.case === 'requestTxn') nested.push(chooseBranch(point, operation.value));",
    replace: `if (operation?.case === 'requestTxn') {
      nested.push(chooseBranch(point, { ...operation.value, compare: [] }));
    }`,
    scenario,
    seeds: 60,
  },
];
