import { checkReadWriteRegisters, put, range } from '@flotilla/check';
import type { Compare, EtcdResponse, TxnOperation } from '@flotilla/check';
import { spreadKeys } from './key-spread.ts';
import { registerCallsOf } from './register-calls.ts';
import type { Ask, Draw, Workload, WorkloadClient } from './workload.ts';

const keys = spreadKeys(6, 'register/');
const stepsMax = 4;

/** Transactions that read, compare and write whatever registers they like, in ranges and one inside another. */
export const registers: Workload = {
  name: 'registers',
  leases: [],
  beginning: [],
  client: (number) => new Writer(number),
  judge: ({ calls }) => {
    return new Map([['registers', checkReadWriteRegisters(registerCallsOf(calls)).verdict]]);
  },
};

class Writer implements WorkloadClient {
  readonly #number: number;
  #writes = 0;
  /** By key, the latest revision at which the client saw it changed. */
  readonly #known = new Map<string, number>();

  constructor(number: number) {
    this.#number = number;
  }

  async errand(ask: Ask, draw: Draw): Promise<void> {
    const compare = Array.from({ length: draw(3, 'compares') }, () => this.#compare(draw));
    const written = new Set<string>();
    const success = this.#operations(draw, written);
    const guarded = [...written].filter(() => draw(2, 'guard a write') === 1);
    const guards = guarded.map((key) => this.#expect(key));
    if (draw(3, 'nested') === 2) {
      const inner = this.#operations(draw, written);
      success.push({
        type: 'txn',
        compare: [this.#compare(draw)],
        success: inner,
        failure: [this.#read(draw)],
      });
    }
    const failure = [this.#read(draw), this.#read(draw)];
    this.#learn(await ask({ type: 'txn', compare: [...compare, ...guards], success, failure }));
  }

  #operations(draw: Draw, written: Set<string>): TxnOperation[] {
    return Array.from({ length: 1 + draw(stepsMax, 'steps') }, () => {
      const key = this.#key(draw);
      if (draw(2, 'write') === 0 || written.has(key)) return this.#read(draw);
      written.add(key);
      this.#writes += 1;
      return put(key, `${this.#number}.${this.#writes}`);
    });
  }

  #read(draw: Draw): TxnOperation {
    const drawn = draw(3, 'read');
    if (drawn === 2) return range('\0', { rangeEnd: '\0' });
    if (drawn === 1) return range(this.#key(draw), { rangeEnd: 'z' });
    return range(this.#key(draw));
  }

  #compare(draw: Draw): Compare {
    return this.#expect(this.#key(draw));
  }

  #expect(key: string): Compare {
    const value = this.#known.get(key) ?? 0;
    return { key, rangeEnd: '', result: 'equal', target: { type: 'mod', value } };
  }

  #key(draw: Draw): string {
    return keys[draw(keys.length, 'key')] as string;
  }

  #learn(answer: EtcdResponse | null): void {
    if (answer?.type !== 'txn') return;
    for (const part of answer.responses) {
      if (part.type !== 'range') continue;
      for (const kv of part.kvs) this.#known.set(kv.key, kv.modRevision);
    }
  }
}
