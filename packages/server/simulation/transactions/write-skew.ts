import { checkInvariant, checkReadWriteRegisters, put, range } from '@flotilla/check';
import type { Compare, EtcdResponse, Invariant, KeyValue } from '@flotilla/check';
import { letters } from './key-spread.ts';
import { registerCallsOf } from './register-calls.ts';
import type { Ask, Draw, Workload, WorkloadClient } from './workload.ts';

/** Two doctors each, in the two halves of the key space. */
const pairs = [0, 3, 6, 9].map((i) => [`${letters[i]}/duty/${i}`, `${letters[i + 13]}/duty/${i}`] as const);

/**
 * Of two doctors at least one is on duty. Who leaves has seen that the other is there, and compares only that, while
 * the other may do the same: write skew, unless transactions really are serializable.
 */
export const writeSkew: Workload = {
  name: 'write-skew',
  leases: [],
  beginning: [],
  client: (number) => new Doctor(number),
  judge: ({ calls, revisions }) => {
    const verdicts = new Map([['registers', checkReadWriteRegisters(registerCallsOf(calls)).verdict]]);
    for (const pair of pairs) {
      verdicts.set(`duty of ${pair.join(' and ')}`, checkInvariant(calls, onDuty(pair), revisions).verdict);
    }
    return verdicts;
  },
};

function onDuty(pair: readonly string[]): Invariant {
  return {
    name: 'write-skew/nobody-on-duty',
    ranges: pair.map((key) => ({ key, rangeEnd: '' })),
    broken: (keys) => {
      const isAway = pair.every((key) => keys.get(key)?.value.startsWith('away') === true);
      return isAway ? `nobody is on duty of ${pair.join(' and ')}` : null;
    },
  };
}

class Doctor implements WorkloadClient {
  readonly #number: number;
  #writes = 0;

  constructor(number: number) {
    this.#number = number;
  }

  async errand(ask: Ask, draw: Draw): Promise<void> {
    const pair = pairs[draw(pairs.length, 'pair')] as readonly [string, string];
    const answer = await ask({
      type: 'txn',
      compare: [],
      success: pair.map((key) => range(key)),
      failure: [],
    });
    const found = pair.map((_, i) => kvOf(answer, i));
    if (answer === null) return;
    const self = draw(2, 'doctor');
    const [own, other] = [found[self], found[1 - self]];
    const isAway = own?.value.startsWith('away') === true;
    // Who is back needs to know nothing; who leaves must not be the last.
    if (!isAway && other?.value.startsWith('away') === true) return;
    this.#writes += 1;
    const value = `${isAway ? 'back' : 'away'} ${this.#number}.${this.#writes}`;
    const target = { type: 'mod', value: other?.modRevision ?? 0 } as const;
    const key = pair[1 - self] as string;
    const compare: Compare[] = isAway ? [] : [{ key, rangeEnd: '', result: 'equal', target }];
    const success = [put(pair[self] as string, value)];
    await ask({ type: 'txn', compare, success, failure: [range(key)] });
  }
}

function kvOf(answer: EtcdResponse | null, at: number): KeyValue | null {
  const part = answer?.type === 'txn' ? answer.responses[at] : undefined;
  return part?.type === 'range' ? (part.kvs[0] ?? null) : null;
}
