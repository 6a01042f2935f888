import type { Connection, Platform } from '@flotilla/platform';
import { World, fromEventLoop, generatedTape } from '@flotilla/sim';

/** What the world itself costs: three nodes that send small messages around, sync now and then, and hold timers. */
function run(seed: number, detectEscapes: boolean): World {
  const world = new World({
    tape: generatedTape(seed),
    settings: { delayMaxMs: 3, lossPerMille: 2 },
    detectEscapes,
  });
  const names = ['n1', 'n2', 'n3'];
  for (const name of names) {
    world.addNode(name, async (platform) => {
      await platform.network.listen({ host: name, port: 1 }, {}, (connection) => {
        connection.start({
          data: (chunk) => platform.defer(() => void connection.write(chunk.slice())),
          drained: () => {},
          closed: () => {},
        });
      });
      await platform.disk
        .open('log', 'create')
        .then((file) => platform.spawn('log', () => writeOn(platform, file)));
      for (const peer of names) if (peer !== name) await talkTo(platform, peer);
    });
  }
  for (const node of world.nodes.values()) node.start();
  world.run(60_000);
  world.end();
  return world;
}

async function writeOn(
  platform: Platform,
  file: Awaited<ReturnType<Platform['disk']['open']>>,
): Promise<void> {
  for (let position = 0; ; position += 100) {
    file.write(position, new Uint8Array(100));
    await file.sync();
    await new Promise<void>((resolve) => platform.timer(5, 'pace', resolve));
  }
}

async function talkTo(platform: Platform, peer: string): Promise<void> {
  let connection: Connection;
  try {
    connection = await platform.network.connect({ host: peer, port: 1 }, { timeoutMs: 1000 });
  } catch {
    return;
  }
  connection.start({
    data: (chunk) => {
      const timer = platform.timer(1000, 'time-out', () => {});
      platform.defer(() => {
        timer.cancel();
        connection.write(chunk.slice());
      });
    },
    drained: () => {},
    closed: () => {},
  });
  connection.write(new Uint8Array(100));
}

await fromEventLoop(() => run(0, true));
for (const detectEscapes of [true, false]) {
  const start = performance.now();
  let events = 0;
  for (let seed = 1; seed <= 5; seed += 1)
    events += (await fromEventLoop(() => run(seed, detectEscapes))).events;
  const seconds = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ detectEscapes, events, eventsPerSecond: Math.round(events / seconds) }));
}
