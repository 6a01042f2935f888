import type { Platform } from '@flotilla/platform';
import { Nemesis, World, drawFaultMix, resultOf } from '../index.ts';
import type { RunResult, Scenario, Tape } from '../index.ts';

/**
 * A counter on one server: the client adds one at a time and the server answers after its disk has the number. With
 * the bug it answers before, so a crash can take back what was acknowledged.
 */
export function counterScenario(bug: boolean): Scenario {
  return { name: bug ? 'forgetful-counter' : 'counter', run: (tape) => counterRun(tape, bug) };
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
  if (world.violation === null) nemesis.heal();
  world.run(2_000);
  world.end();
  return resultOf(world);
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
