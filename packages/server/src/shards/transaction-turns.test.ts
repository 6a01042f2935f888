import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { everyKeySpan, type KeySpan, spanOfKey } from '@flotilla/store';
import { expect, it } from 'vitest';
import { TransactionTurns } from './transaction-turns.ts';

const keys = (...names: readonly string[]): readonly KeySpan[] =>
  names.map((name) => spanOfKey(Buffer.from(name)));
const range: readonly KeySpan[] = [{ from: Buffer.from('b'), to: Buffer.from('d') }];

/** Transactions that come in this order; each says so when it may go. */
async function inTurn(wants: readonly (readonly KeySpan[])[], script: (lab: Lab) => void): Promise<void> {
  await fromEventLoop(() => {
    const world = new World({ tape: generatedTape(1) });
    const went: number[] = [];
    const ends: (() => void)[] = [];
    const node = world.addNode('n1', (platform) => {
      const turns = new TransactionTurns(platform);
      for (const [i, spans] of wants.entries()) {
        const turn = turns.of(spans);
        ends.push(() => turn.end());
        void turn.come(1_000).then(() => went.push(i));
      }
      sizeOf = () => turns.size;
    });
    let sizeOf = (): number => 0;
    node.start();
    world.run(1);
    script({
      world,
      went,
      end: (i) => {
        world.after(0, ends[i] as () => void, node.life);
        world.run(1);
      },
      size: () => sizeOf(),
    });
    expect(world.violation).toBeNull();
    world.end();
  });
}

interface Lab {
  readonly world: World;
  readonly went: readonly number[];
  readonly end: (transaction: number) => void;
  readonly size: () => number;
}

it('transactions with the same keys go one after the other, in the order in which they came', async () => {
  await inTurn([keys('a', 'x'), keys('x', 'z'), keys('z'), keys('q')], ({ went, end, size }) => {
    expect(went).toEqual([0, 3]);
    end(0);
    expect(went).toEqual([0, 3, 1]);
    end(3);
    end(1);
    expect(went).toEqual([0, 3, 1, 2]);
    end(2);
    expect(size()).toBe(0);
  });
});

it('a range waits for the keys in it, and they for a range', async () => {
  await inTurn([keys('c'), range, keys('b'), keys('d'), [everyKeySpan]], ({ went, end }) => {
    expect(went).toEqual([0, 3]);
    end(0);
    expect(went).toEqual([0, 3, 1]);
    end(1);
    end(2);
    expect(went).toEqual([0, 3, 1, 2]);
    end(3);
    expect(went).toEqual([0, 3, 1, 2, 4]);
  });
});

it('one that gives up leaves the line', async () => {
  await inTurn([keys('a'), keys('a', 'b'), keys('b')], ({ went, end }) => {
    expect(went).toEqual([0]);
    end(1);
    expect(went).toEqual([0, 2]);
  });
});

it('nobody waits for longer than it likes to', async () => {
  await inTurn([keys('a'), keys('a')], ({ world, went }) => {
    world.run(998);
    expect(went).toEqual([0]);
    world.run(2);
    expect(went).toEqual([0, 1]);
  });
});
