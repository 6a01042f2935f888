import { readFileSync } from 'node:fs';
import { FlotillaError } from '@flotilla/platform';
import type { Connection, Platform } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { World, fromEventLoop, generatedTape, replayedTape } from './index.ts';
import type { WorldOptions } from './index.ts';

/** Runs `body` with a world in the event loop, where simulations live. */
function inWorld<T>(options: Partial<WorldOptions>, body: (world: World) => T): Promise<T> {
  return fromEventLoop(() => body(new World({ tape: replayedTape([]), ...options })));
}

test('everything that an event causes through promises is over before the next event', () =>
  inWorld({}, (world) => {
    const order: string[] = [];
    const main =
      (name: string) =>
      async (platform: Platform): Promise<void> => {
        await new Promise<void>((resolve) => platform.timer(5, 'start', resolve));
        for (let i = 0; i < 5; i += 1) {
          await Promise.resolve();
          order.push(name);
        }
      };
    world.addNode('a', main('a')).start();
    world.addNode('b', main('b')).start();
    world.run(100);
    expect(order.join('')).toBe('aaaaabbbbb');
    expect(world.now).toBe(100);
  }));

test('a simulation inside a promise reaction is refused with the remedy', async () => {
  await Promise.resolve();
  expect(() => new World({ tape: replayedTape([]) }).run(1)).toThrow(/fromEventLoop/);
});

test('timers fire in order, never before their time on the local clock, and not when cancelled', () =>
  inWorld({ tape: generatedTape(5), settings: { driftPpmMax: 50_000 } }, (world) => {
    let fired = 0;
    world
      .addNode('a', (platform) => {
        platform.timer(1, 'cancelled', () => expect.unreachable()).cancel();
        for (let i = 0; i < 200; i += 1) {
          const start = platform.now();
          platform.timer(i * 0.37, 'test', () => {
            expect(platform.now() - start).toBeGreaterThanOrEqual(i * 0.37);
            fired += 1;
          });
        }
      })
      .start();
    world.run(1000);
    expect(world.violation).toBeNull();
    expect(fired).toBe(200);
  }));

test('deferred calls run together and in order, after what is due now', () =>
  inWorld({}, (world) => {
    const order: string[] = [];
    world
      .addNode('a', (platform) => {
        platform.defer(() => {
          order.push('a');
          platform.defer(() => order.push('d'));
        });
        platform.timer(0, 'due', () => order.push('timer'));
        platform.defer(() => order.push('b'));
        order.push('now');
      })
      .start();
    world.run(1);
    expect(order).toEqual(['now', 'a', 'b', 'd', 'timer']);
  }));

test('an error at the top of a node is a violation that names it', () =>
  inWorld({}, (world) => {
    world
      .addNode('n7', () => Promise.reject(new FlotillaError('FLOTILLA_LOG_DAMAGED', 'bad record')))
      .start();
    world.run(10);
    expect(world.violation).toMatchObject({ name: 'FLOTILLA_LOG_DAMAGED', node: 'n7' });
  }));

test('a rejection that nobody handles is a violation of the node that caused it', async () => {
  const before = process.listenerCount('unhandledRejection');
  await inWorld({}, (world) => {
    world
      .addNode('n1', (platform) => {
        platform.timer(3, 'late', () => void Promise.reject(new Error('forgotten')));
      })
      .start();
    world.run(10);
    expect(world.violation).toMatchObject({ name: 'Error', node: 'n1', timeMs: expect.closeTo(3, 3) });
  });
  expect(process.listenerCount('unhandledRejection')).toBe(before);
});

test.each([
  ['Date.now', () => Date.now()],
  ['new Date()', () => new Date()],
  ['Math.random', () => Math.random()],
  ['setTimeout', () => setTimeout(() => {}, 1)],
  ['setImmediate', () => setImmediate(() => {})],
  ['queueMicrotask', () => queueMicrotask(() => {})],
  ['process.nextTick', () => process.nextTick(() => {})],
  ['performance.now', () => performance.now()],
  ['crypto.randomUUID', () => crypto.randomUUID()],
  ['node:fs readFileSync', () => readFileSync('/etc/hostname')],
])('%s inside a simulation is an escape, even when the error is swallowed', async (name, escape) => {
  await inWorld({}, (world) => {
    world
      .addNode('n1', () => {
        try {
          escape();
        } catch {
          // A careless program.
        }
      })
      .start();
    world.run(10);
    expect(world.violation).toMatchObject({ name: 'FLOTILLA_ESCAPED_SIMULATION', node: 'n1' });
    expect(world.violation?.message).toContain(name);
    expect(world.violation?.stack).toContain('world.test.ts');
  });
  expect(() => escape()).not.toThrow();
});

test('dates from parts and the console are no escapes', () =>
  inWorld({}, (world) => {
    world
      .addNode('n1', () => {
        expect(new Date(86_400_000).toISOString()).toBe('1970-01-02T00:00:00.000Z');
        expect(new Date(0) instanceof Date).toBe(true);
      })
      .start();
    world.run(10);
    expect(world.violation).toBeNull();
  }));

test('after a crash nothing of the old life happens any more', () =>
  inWorld({}, (world) => {
    const seen: string[] = [];
    let life = 0;
    const node = world.addNode('n1', async (platform) => {
      life += 1;
      const name = `life ${life}`;
      platform.timer(50, 'late', () => seen.push(`${name} timer`));
      const file = await platform.disk.open(`f${life}`, 'create');
      file.write(0, new Uint8Array(10));
      platform.timer(10, 'sync', () => {
        void file.sync().then(() => seen.push(`${name} synced`));
        if (life === 1) platform.defer(() => node.crash());
      });
    });
    node.start();
    world.after(30, () => node.start());
    world.run(1000);
    expect(seen).toEqual(['life 2 synced', 'life 2 timer']);
  }));

test('what happens during a pause happens at its end, and the clock has gone on', () =>
  inWorld({}, (world) => {
    const seen: number[] = [];
    const node = world.addNode('n1', (platform) => {
      const start = platform.now();
      for (const delay of [10, 20, 30, 200])
        platform.timer(delay, 't', () => seen.push(platform.now() - start));
    });
    node.start();
    world.after(15, () => node.pause());
    world.after(100, () => node.resume());
    world.run(1000);
    expect(seen.map(Math.round)).toEqual([10, 100, 100, 200]);
  }));

test('a loop that takes no time is a livelock', () =>
  inWorld({}, (world) => {
    world
      .addNode('n1', (platform) => {
        const again = (): void => platform.defer(again);
        again();
      })
      .start();
    world.run(10);
    expect(world.violation?.name).toBe('livelock');
  }));

test('wall clocks are skewed and jump, monotonic ones never go back', () =>
  inWorld({ tape: generatedTape(2), settings: { skewMaxMs: 5000 } }, (world) => {
    const walls: number[] = [];
    const names = ['a', 'b', 'c'];
    for (const name of names)
      world.addNode(name, (platform) => void walls.push(platform.wallClock())).start();
    world.run(1);
    expect(new Set(walls).size).toBe(3);
    const { clock } = world.node('a');
    const before = clock.now();
    const wall = clock.wall();
    clock.jumpWall(-3000);
    expect(clock.wall()).toBe(wall - 3000);
    expect(clock.now()).toBe(before);
  }));

/** An echo server and a client that writes numbered bytes and reads them back, over several reconnects. */
function echoRun(seed: number): { hash: string; events: number; echoed: number } {
  const world = new World({
    tape: generatedTape(seed),
    settings: {
      lossPerMille: 30,
      spikePerMille: 50,
      spikeMaxMs: 100,
      splitPerMille: 300,
      joinPerMille: 300,
      turnMaxMs: 2,
    },
  });
  world
    .addNode('server', async (platform) => {
      await platform.network.listen({ host: 'server', port: 1 }, {}, (connection) => {
        connection.start({
          data: (chunk) => void connection.write(chunk),
          drained: () => {},
          closed: () => {},
        });
      });
    })
    .start();
  const received: number[] = [];
  world
    .addNode('client', async (platform) => {
      const connection = await platform.network.connect({ host: 'server', port: 1 }, { timeoutMs: 1000 });
      connection.start({
        data: (chunk) => received.push(...chunk),
        drained: () => {},
        closed: () => {},
      });
      for (let i = 0; i < 200; i += 2) {
        connection.write(new Uint8Array([i, i + 1]));
        await new Promise<void>((resolve) => platform.timer(platform.random.below(3), 'pace', resolve));
      }
    })
    .start();
  world.run(60_000);
  expect(world.violation).toBeNull();
  expect(received).toEqual(Array.from({ length: 200 }, (_, i) => i));
  return { hash: world.hash.toString(), events: world.events, echoed: received.length };
}

test('streams stay in order and whole however they are delayed, split and joined; equal seeds give equal hashes', () =>
  fromEventLoop(() => {
    const hashes = new Set<string>();
    for (let seed = 0; seed < 20; seed += 1) {
      const first = echoRun(seed);
      expect(echoRun(seed)).toEqual(first);
      hashes.add(first.hash);
    }
    expect(hashes.size).toBe(20);
  }));

interface Peer {
  readonly connections: Connection[];
  readonly received: string[];
  closed: (Error | null)[];
}

/** `n1` listens, `n2` connects at once; both keep what they hear. */
function connectedPair(world: World): { server: Peer; client: Peer } {
  const peer = (): Peer => ({ connections: [], received: [], closed: [] });
  const [server, client] = [peer(), peer()];
  const keep = (side: Peer, connection: Connection): void => {
    side.connections.push(connection);
    connection.start({
      data: (chunk) => side.received.push(new TextDecoder().decode(chunk)),
      drained: () => {},
      closed: (error) => side.closed.push(error),
    });
  };
  world
    .addNode('n1', async (platform) => {
      await platform.network.listen({ host: '0.0.0.0', port: 9 }, {}, (connection) =>
        keep(server, connection),
      );
    })
    .start();
  world
    .addNode('n2', async (platform) => {
      keep(client, await platform.network.connect({ host: 'n1', port: 9 }, { timeoutMs: 1000 }));
    })
    .start();
  world.run(100);
  expect(server.connections.length).toBe(1);
  return { server, client };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('a one-way cut holds the bytes of one direction until it heals', () =>
  inWorld({}, (world) => {
    const { server, client } = connectedPair(world);
    world.network.links.cut(world.node('n2'), world.node('n1'));
    client.connections[0]!.write(text('held'));
    server.connections[0]!.write(text('passes'));
    world.run(1000);
    expect([server.received, client.received]).toEqual([[], ['passes']]);
    world.network.links.restore(world.node('n2'), world.node('n1'));
    world.run(1000);
    expect(server.received).toEqual(['held']);
    expect(server.closed).toEqual([]);
  }));

test('bytes that nobody acknowledges end the connection at both ends, each by itself', () =>
  inWorld({}, (world) => {
    const { server, client } = connectedPair(world);
    world.network.links.cut(world.node('n2'), world.node('n1'));
    client.connections[0]!.write(text('lost'));
    world.run(17_000);
    expect(client.closed.length).toBe(1);
    expect(server.closed.length).toBe(0);
    world.run(30_000);
    expect(server.closed.length).toBe(1);
    expect(server.received).toEqual([]);
  }));

test('when a process dies its peers see a reset; when its machine dies they see nothing until they write', () =>
  inWorld({}, (world) => {
    const { client } = connectedPair(world);
    world.node('n1').crash();
    world.run(100);
    expect(client.closed.length).toBe(1);
    expect((client.closed[0] as FlotillaError).code).toBe('FLOTILLA_CONNECTION_RESET');
  }).then(() =>
    inWorld({}, (world) => {
      const { client } = connectedPair(world);
      world.node('n1').crash({ unreachable: true });
      world.run(60_000);
      expect(client.closed).toEqual([]);
      client.connections[0]!.write(text('anybody there?'));
      world.run(1000);
      expect(client.closed).toEqual([]);
      world.node('n1').start();
      world.run(1000);
      expect(client.closed.length).toBe(1);
    }),
  ));

test('close delivers what was written and ends both sides in order', () =>
  inWorld({}, (world) => {
    const { server, client } = connectedPair(world);
    client.connections[0]!.write(text('bye'));
    client.connections[0]!.close();
    world.run(100);
    expect(server.received).toEqual(['bye']);
    expect([server.closed, client.closed]).toEqual([[null], [null]]);
  }));

test('destroy resets the other side', () =>
  inWorld({}, (world) => {
    const { server, client } = connectedPair(world);
    client.connections[0]!.write(text('never seen'));
    client.connections[0]!.destroy();
    world.run(100);
    expect(server.received).toEqual([]);
    expect(client.closed).toEqual([null]);
    expect((server.closed[0] as FlotillaError).code).toBe('FLOTILLA_CONNECTION_RESET');
  }));

test('a reader that pauses fills the writer up, and drains it when it goes on', () =>
  inWorld({}, (world) => {
    let drained = 0;
    let received = 0;
    let reader: Connection | null = null;
    let writer: Connection | null = null;
    world
      .addNode('n1', async (platform) => {
        await platform.network.listen({ host: 'n1', port: 9 }, {}, (connection) => {
          reader = connection;
          connection.pause();
          connection.start({
            data: (chunk) => (received += chunk.length),
            drained: () => {},
            closed: () => {},
          });
        });
      })
      .start();
    world
      .addNode('n2', async (platform) => {
        writer = await platform.network.connect({ host: 'n1', port: 9 }, { timeoutMs: 1000 });
        writer.start({ data: () => {}, drained: () => (drained += 1), closed: () => {} });
      })
      .start();
    world.run(100);
    let written = 0;
    const end = writer as Connection | null;
    while (end!.write(new Uint8Array(10_000))) written += 10_000;
    written += 10_000;
    world.run(1000);
    expect([received, drained]).toEqual([0, 0]);
    (reader as Connection | null)!.resume();
    world.run(1000);
    expect([received, drained]).toEqual([written, 1]);
    expect(end!.bufferedBytes).toBe(0);
  }));

test('connecting fails with the code for its reason', () =>
  inWorld({}, (world) => {
    const codes: string[] = [];
    world.addNode('n1', () => {}).start();
    world.addNode('gone', () => {}).start();
    world.run(1);
    world.node('gone').crash({ unreachable: true });
    world
      .addNode('n2', async (platform) => {
        for (const host of ['n1', 'gone', 'nobody']) {
          await platform.network
            .connect({ host, port: 9 }, { timeoutMs: 500 })
            .catch((error: FlotillaError) => {
              codes.push(error.code);
            });
        }
        await platform.network
          .listen({ host: 'n1', port: 9 }, {}, () => {})
          .catch((error: FlotillaError) => {
            codes.push(error.code);
          });
        await platform.network.listen({ host: 'n2', port: 9 }, {}, () => {});
        await platform.network
          .listen({ host: '0.0.0.0', port: 9 }, {}, () => {})
          .catch((error: FlotillaError) => {
            codes.push(error.code);
          });
      })
      .start();
    world.run(5000);
    expect(codes).toEqual([
      'FLOTILLA_CONNECT_REFUSED',
      'FLOTILLA_CONNECT_FAILED',
      'FLOTILLA_CONNECT_FAILED',
      'FLOTILLA_ADDRESS_UNAVAILABLE',
      'FLOTILLA_ADDRESS_IN_USE',
    ]);
  }));
