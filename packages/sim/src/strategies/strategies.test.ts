import type { Connection } from '@flotilla/platform';
import { expect, test } from 'vitest';
import {
  delayBoundedStrategy,
  exhaustiveStrategy,
  explore,
  noveltyStrategy,
  portfolioOf,
  priorityStrategy,
  randomStrategy,
  simulate,
  strategyNamed,
  swarmStrategy,
} from '../index.ts';
import type { RunResult, Scenario, Strategy, Tape } from '../index.ts';

/** A scenario without a world: `body` answers whether the bug shows, and counts what it came to. */
function drawing(body: (tape: Tape, coverage: Record<string, number>) => boolean): Scenario {
  return {
    name: 'drawing',
    run: (tape): RunResult => {
      const coverage: Record<string, number> = {};
      const found = body(tape, coverage);
      const at = { node: null, timeMs: 0, event: 0, stack: null };
      const violation = found ? { name: 'bug', message: 'it shows', ...at } : null;
      return { violation, events: 1, simulatedMs: 0, traceHash: '', coverage, faults: [] };
    },
  };
}

async function seedsToFind(scenario: Scenario, strategy: Strategy, seeds = 2000): Promise<number> {
  const { finding, seeds: made } = await explore({ scenario, strategy, from: 0, seeds, repeatEvery: 0 });
  return finding === null ? Infinity : made;
}

test('swarm finds what one kind of choice covers up as long as it is there at all', async () => {
  // A stack overflows when it is only pushed to: pops, as likely as pushes, keep it low.
  const overflow = drawing((tape) => {
    let depth = 0;
    for (let i = 0; i < 64; i += 1) {
      if (tape.chance(1, 2, 'push')) depth += 1;
      if (tape.chance(1, 2, 'pop')) depth = Math.max(depth - 1, 0);
      if (depth > 24) return true;
    }
    return false;
  });
  expect(await seedsToFind(overflow, swarmStrategy())).toBeLessThan(40);
  expect(await seedsToFind(overflow, randomStrategy(), 500)).toBe(Infinity);
});

test('novelty climbs steps that chance does not jump', async () => {
  const steps = drawing((tape, coverage) => {
    for (let step = 0; step < 5; step += 1) {
      if (tape.choose(8, `step ${step}`) !== 5) return false;
      coverage[`step ${step}`] = 1;
    }
    return true;
  });
  expect(await seedsToFind(steps, noveltyStrategy())).toBeLessThan(500);
  expect(await seedsToFind(steps, randomStrategy(), 500)).toBe(Infinity);
});

test('delay-bounding finds what one choice does in a run that is harmless otherwise', async () => {
  const alone = drawing((tape) => {
    const faults = Array.from({ length: 200 }, () => tape.choose(4, 'fault'));
    return faults.filter((fault) => fault !== 0).length === 1 && faults[100] === 0;
  });
  expect(await seedsToFind(alone, delayBoundedStrategy(1))).toBeLessThan(20);
  expect(await seedsToFind(alone, randomStrategy(), 100)).toBe(Infinity);
});

test('an exhaustive search makes every run once; breadth first finds a smallest failure first', async () => {
  const runs: string[] = [];
  const world = drawing((tape) => {
    const drawn = [tape.choose(3, 'a'), tape.choose(2, 'b'), tape.chance(1, 100, 'c') ? 1 : 0];
    runs.push(drawn.join(''));
    return false;
  });
  for (const order of ['breadth', 'depth'] as const) {
    runs.length = 0;
    const strategy = exhaustiveStrategy({ order });
    const { exhausted } = await explore({ scenario: world, strategy, from: 0, seeds: 100, repeatEvery: 0 });
    expect(exhausted).toBe(true);
    expect(runs).toHaveLength(12);
    expect(new Set(runs).size).toBe(12);
  }
  const two = drawing((tape) => {
    const faults = Array.from({ length: 6 }, (_, i) => tape.choose(4, `fault ${i}`));
    return faults[1] === 3 && faults[4] === 2;
  });
  const search = { scenario: two, from: 0, seeds: 5000, repeatEvery: 0 };
  const { finding } = await explore({ ...search, strategy: exhaustiveStrategy({ order: 'breadth' }) });
  expect([...finding!.lanes.values()].flat()).toEqual([0, 3, 0, 0, 2, 0]);
  const bounded = exhaustiveStrategy({ order: 'breadth', deviationsMax: 1 });
  expect(await explore({ ...search, strategy: bounded })).toMatchObject({ finding: null, exhausted: true, seeds: 19 }); // prettier-ignore
});

test('priorities let one message come after a long chain of others', async () => {
  // n1 tells n4 at once, and by way of n2 and n3, who pass it to and fro until it has made twelve hops.
  const search = (strategy: Strategy, seeds: number): Promise<unknown> =>
    simulate(
      {
        strategy,
        seeds,
        repeatEvery: 0,
        shrinkMs: 0,
        tapeDirectory: null,
        world: { delayMinMs: 0.1, delayMaxMs: 9 },
      },
      async (sim) => {
        let direct = false;
        sim.nodes(4, async (platform, index) => {
          const links: Connection[] = [];
          const received = (hops: number): void => {
            if (index === 3 && hops === 0) direct = true;
            else if (index === 3 && !direct) sim.violate('overtaken', 'the long way was the shorter one');
            else if (index !== 3) links[hops === 12 ? 1 : 0]?.write(Uint8Array.of(hops + 1));
          };
          await platform.network.listen({ host: '', port: 1 }, {}, (connection) => {
            connection.start({ data: ([hops = 0]) => received(hops), drained() {}, closed() {} });
          });
          const others = [['n2', 'n4'], ['n3', 'n4'], ['n2', 'n4'], []][index] ?? [];
          for (const host of others) {
            const link = await platform.network.connect({ host, port: 1 }, { timeoutMs: 1000 });
            link.start({ data() {}, drained() {}, closed() {} });
            links.push(link);
          }
          if (index !== 0) return;
          platform.timer(100, 'begin', () => {
            links[0]?.write(Uint8Array.of(1));
            links[1]?.write(Uint8Array.of(0));
          });
        });
        await sim.run({ faultsMs: 300, convergeMs: 10 });
      },
    );
  const found = search(priorityStrategy(2), 400);
  await expect(found).rejects.toMatchObject({ violation: { name: 'overtaken' } });
  expect(await search(randomStrategy(), 100)).toMatchObject({ seeds: 100 });
});

test('a portfolio asks its strategies in turn, and drops those that have made every run', async () => {
  const small = exhaustiveStrategy({ order: 'depth', labels: ['a'] });
  const one = drawing((tape) => tape.choose(2, 'a') === 2);
  const portfolio = portfolioOf([small, randomStrategy()]);
  const made = await explore({ scenario: one, strategy: portfolio, from: 0, seeds: 30, repeatEvery: 0 });
  expect(made).toMatchObject({ seeds: 30, exhausted: false });
  expect(strategyNamed('portfolio').name).toBe('portfolio of random, swarm, priority, random, delay-bounded, novelty'); // prettier-ignore
  expect(() => strategyNamed('luck' as 'random')).toThrow(
    /no strategy is named luck: there are random, swarm/,
  );
});
