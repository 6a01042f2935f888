import { checkReadWriteRegisters, put, range } from '@flotilla/check';
import { spreadKeys } from './key-spread.ts';
import { registerCallsOf } from './register-calls.ts';
import type { Ask, Draw, Workload, WorkloadClient } from './workload.ts';

const groups = 3;
const keysOfAGroup = 4;
const keys = Array.from({ length: groups }, (_, group) => spreadKeys(keysOfAGroup, `fork/${group}/`));

/**
 * Clients write single keys without a look at anything, others read whole groups of them at once: no two readers may
 * have seen two writes in different orders.
 */
export const longFork: Workload = {
  name: 'long-fork',
  leases: [],
  beginning: [],
  client: (number) => new Forker(number),
  judge: ({ calls }) => {
    return new Map([['registers', checkReadWriteRegisters(registerCallsOf(calls)).verdict]]);
  },
};

class Forker implements WorkloadClient {
  readonly #number: number;
  #writes = 0;

  constructor(number: number) {
    this.#number = number;
  }

  async errand(ask: Ask, draw: Draw): Promise<void> {
    const group = keys[draw(groups, 'group')] as readonly string[];
    if (draw(2, 'write') === 1) {
      this.#writes += 1;
      const value = `${this.#number}.${this.#writes}`;
      await ask(put(group[draw(keysOfAGroup, 'key')] as string, value));
      return;
    }
    // In a drawn order: whoever reads from one shard after the other does so in that order.
    const first = draw(keysOfAGroup, 'first key');
    const success = group.map((_, i) => range(group[(first + i) % keysOfAGroup] as string));
    if (draw(3, 'read all at once') === 2) await ask(range('\0', { rangeEnd: '\0' }));
    else await ask({ type: 'txn', compare: [], success, failure: [] });
  }
}
