import { checkInvariant, checkReadWriteRegisters, put, range } from '@flotilla/check';
import type { Invariant, KeyValue, RangeRequest } from '@flotilla/check';
import { letters } from './key-spread.ts';
import { registerCallsOf } from './register-calls.ts';
import type { Ask, Draw, Workload, WorkloadClient } from './workload.ts';

/** One row of seats for each of these letters; a block is some rows next to each other. */
const rows = letters.filter((_, i) => i % 3 === 1);
type Block = Pick<RangeRequest, 'key' | 'rangeEnd'>;

const rowsOfABlock = 3;
const takenMax = 2;
const blocks: readonly Block[] = rows.slice(0, rows.length - rowsOfABlock + 1).map((_, i) => {
  const last = rows[i + rowsOfABlock - 1] as string;
  return { key: rows[i] as string, rangeEnd: after(last) };
});

/**
 * In every block of rows at most {@link takenMax} seats are taken. Who takes one makes a key that nobody knows of, and
 * compares the ranges of the blocks that it is in: only what comes in between may not be there. Blocks overlap.
 */
export const phantom: Workload = {
  name: 'phantom',
  leases: [],
  beginning: [],
  client: (number) => new Guest(number),
  judge: ({ calls, revisions }) => {
    const verdicts = new Map([['registers', checkReadWriteRegisters(registerCallsOf(calls)).verdict]]);
    for (const block of blocks) {
      verdicts.set(`block of ${block.key}`, checkInvariant(calls, notTooMany(block), revisions).verdict);
    }
    return verdicts;
  },
};

function notTooMany(block: Block): Invariant {
  return {
    name: 'phantom/too-many',
    ranges: [block],
    broken: (keys) => {
      const taken = takenOf([...keys.values()]).map(({ key }) => key);
      return taken.length > takenMax ? `${taken.join(', ')} are taken at once` : null;
    },
  };
}

class Guest implements WorkloadClient {
  readonly #number: number;
  #seats = 0;
  /** Seats that are or may be this guest's. */
  readonly #taken = new Set<string>();

  constructor(number: number) {
    this.#number = number;
  }

  async errand(ask: Ask, draw: Draw): Promise<void> {
    const [seat] = this.#taken;
    if (seat !== undefined && draw(2, 'give a seat back') === 1) {
      this.#taken.delete(seat);
      await ask(put(seat, `free ${this.#number}`));
    } else if (draw(4, 'look at all blocks') === 3) {
      await ask({ type: 'txn', compare: [], success: blocks.map((block) => whole(block)), failure: [] });
    } else await this.#take(ask, draw(rows.length, 'row'));
  }

  async #take(ask: Ask, row: number): Promise<void> {
    const around = {
      key: rows[Math.max(0, row - rowsOfABlock + 1)] as string,
      rangeEnd: after(rows[Math.min(rows.length, row + rowsOfABlock) - 1] as string),
    };
    const answer = await ask(whole(around));
    if (answer?.type !== 'range') return;
    const letter = rows[row] as string;
    const isIn = (block: Block): boolean => block.key <= letter && letter < block.rangeEnd;
    const isFull = blocks.filter(isIn).some((block) => {
      const within = answer.kvs.filter(({ key }) => block.key <= key && key < block.rangeEnd);
      return takenOf(within).length >= takenMax;
    });
    if (isFull) return;
    this.#seats += 1;
    const seat = `${letter}/seat/${this.#number}.${this.#seats}`;
    this.#taken.add(seat);
    const target = { type: 'mod', value: answer.revision + 1 } as const;
    await ask({
      type: 'txn',
      compare: [{ ...around, result: 'less', target }],
      success: [whole(around), put(seat, `taken ${this.#number}`)],
      failure: [range(around.key, { rangeEnd: around.rangeEnd, countOnly: true })],
    });
  }
}

function whole({ key, rangeEnd }: Block): RangeRequest {
  return range(key, { rangeEnd });
}

function takenOf(kvs: readonly KeyValue[]): readonly KeyValue[] {
  return kvs.filter(({ value }) => value.startsWith('taken'));
}

/** The end of all keys that begin with the letter. */
function after(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 1);
}
