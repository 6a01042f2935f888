import type { Platform } from '@flotilla/platform';
import { expect, test } from 'vitest';
import {
  Nemesis,
  World,
  decodeTape,
  describeFaults,
  drawFaultMix,
  encodeTape,
  explore,
  faultKinds,
  generatedTape,
  replayedTape,
  runScenario,
  shrink,
} from './index.ts';
import type { RunResult, Scenario, Tape } from './index.ts';

/**
 * A counter on one server: the client adds one at a time and the server answers after its disk has the number. With
 * the bug it answers before, so a crash can take back what was acknowledged.
 */
function counterScenario(bug: boolean): Scenario {
  return { name: bug ? 'forgetful counter' : 'counter', run: (tape) => counterRun(tape, bug) };
}

function counterRun(tape: Tape, bug: boolean): RunResult {
  const world = new World({ tape, settings: { delayMaxMs: 5, splitPerMille: 10 } });
  let acknowledged = 0;
  const server = async (platform: Platform): Promise<void> => {
    const { disk } = platform;
    const fresh = !(await disk.exists('counter'));
    const file = await disk.open('counter', fresh ? 'create' : 'write');
    if (fresh) {
      file.write(0, new Uint8Array(1));
      await file.sync();
      await disk.syncDirectory('');
    }
    let value = (await file.read(0, 1))[0] ?? 0;
    if (value < acknowledged)
      world.violate('lost write', `${acknowledged} was acknowledged, the disk has ${value}`);
    await platform.network.listen({ host: 'server', port: 1 }, {}, (connection) => {
      const add = async (): Promise<void> => {
        value += 1;
        file.write(0, new Uint8Array([value]));
        const sync = file.sync();
        if (!bug) await sync;
        connection.write(new Uint8Array([value]));
        await sync;
      };
      connection.start({ data: () => platform.spawn('add', add), drained: () => {}, closed: () => {} });
    });
  };
  world.addNode('server', server).start();
  const client = async (platform: Platform): Promise<void> => {
    for (let i = 0; i < 100; i += 1) {
      await new Promise<void>((resolve) => platform.timer(50, 'pace', resolve));
      await addOne(platform, (value) => (acknowledged = Math.max(acknowledged, value)));
    }
  };
  world.addNode('client', client).start();
  const nemesis = new Nemesis({
    world,
    victims: [world.node('server')],
    bystanders: [world.node('client')],
    mix: drawFaultMix(tape),
    intervalMinMs: 50,
    intervalMaxMs: 1000,
    durationMinMs: 20,
    durationMaxMs: 500,
  });
  nemesis.start();
  world.run(8_000);
  nemesis.heal();
  world.run(2_000);
  world.end();
  return {
    violation: world.violation,
    events: world.events,
    simulatedMs: world.now,
    traceHash: world.hash.toString(),
    coverage: world.coverage.toJSON(),
    faults: world.faults,
  };
}

function addOne(platform: Platform, done: (value: number) => void): Promise<void> {
  return platform.network.connect({ host: 'server', port: 1 }, { timeoutMs: 200 }).then(
    (connection) =>
      new Promise<void>((resolve) => {
        const timer = platform.timer(300, 'give up', () => connection.destroy());
        connection.start({
          data: (chunk) => {
            done(chunk[0] ?? 0);
            connection.close();
          },
          drained: () => {},
          closed: () => {
            timer.cancel();
            resolve();
          },
        });
        connection.write(new Uint8Array([1]));
      }),
    () => undefined,
  );
}

test('the right program survives the seeds in which the wrong one is caught', async () => {
  const { finding } = await explore({ scenario: counterScenario(true), from: 0, seeds: 300 });
  expect(finding?.result.violation?.name).toBe('lost write');
  const clean = await explore({ scenario: counterScenario(false), from: 0, seeds: 120, repeatEvery: 10 });
  expect(clean.finding).toBeNull();
  expect(clean.repeated).toBe(12);
  const injected = faultKinds.filter((kind) => clean.coverage.get(kind) > 0);
  // A bridge takes three nodes.
  expect(injected).toEqual(faultKinds.filter((kind) => kind !== 'partition with a bridge'));
});

test('a failing tape shrinks to the one fault that it needs, told in words, and its file repeats the run', async () => {
  const scenario = counterScenario(true);
  const { finding } = await explore({ scenario, from: 0, seeds: 300 });
  const shrunk = await shrink({ scenario, lanes: finding!.lanes });
  expect(shrunk.choicesLeft).toBeLessThan(12);
  expect(shrunk.choicesLeft).toBeLessThan(shrunk.choicesBefore / 10);
  const crashes = shrunk.result.faults.filter((fault) =>
    /crash|power cut|stopped by itself/.test(fault.text),
  );
  expect(crashes.length).toBe(1);
  expect(describeFaults(shrunk.result.faults)).toMatch(
    /^at \d+\.\d{3} s: .*server.*1 unsynced sectors lost/m,
  );
  const file = { scenario: scenario.name, seed: finding!.seed, violation: 'lost write', lanes: shrunk.lanes };
  const decoded = decodeTape(encodeTape(file));
  expect(decoded).toEqual(file);
  const again = await runScenario(scenario, replayedTape(decoded.lanes));
  expect(again.traceHash).toBe(shrunk.result.traceHash);
  expect(again.violation).toEqual(shrunk.result.violation);
});

test('a tape of nothing but zeros has no faults', async () => {
  const result = await runScenario(counterScenario(true), replayedTape([]));
  expect(result.violation).toBeNull();
  expect(result.faults.map((fault) => fault.text)).toEqual(['heal everything']);
});

test('a scenario that leaks the outside world into its events is caught by the second run', async () => {
  let leak = 0;
  const scenario: Scenario = {
    name: 'leaky',
    run: (tape) => {
      const world = new World({ tape });
      leak += 1;
      world.after(leak, () => {});
      world.run(1000);
      return {
        violation: world.violation,
        events: world.events,
        simulatedMs: world.now,
        traceHash: world.hash.toString(),
        coverage: {},
        faults: [],
      };
    },
  };
  const { finding } = await explore({ scenario, from: 0, seeds: 1 });
  expect(finding?.result.violation?.name).toBe('nondeterminism');
});

test.each([
  ['garbage', 'nonsense'],
  ['another format', '{"format":"x"}'],
  ['a newer version', '{"format":"flotilla-tape","version":2}'],
  ['a missing field', '{"format":"flotilla-tape","version":1}'],
  [
    'a bad choice',
    '{"format":"flotilla-tape","version":1,"scenario":"a","seed":1,"violation":"v","lanes":{"l":"1 -2"}}',
  ],
])('%s is no tape', (_what, text) => {
  expect(() => decodeTape(text)).toThrow(expect.objectContaining({ code: 'FLOTILLA_TAPE_INVALID' }));
});

test('every kind of fault can be drawn', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed += 1) {
    const mix = drawFaultMix(generatedTape(seed));
    for (const kind of faultKinds) if (mix[kind] > 0) seen.add(kind);
  }
  expect(seen.size).toBe(faultKinds.length);
});
