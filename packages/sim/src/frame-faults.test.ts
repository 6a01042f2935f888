import { expect, test } from 'vitest';
import type { Connection } from '@flotilla/platform';
import { World, fromEventLoop, generatedTape } from './index.ts';
import type { WorldSettings } from './index.ts';

/** One-byte preface, one handshake frame, then frames of two bytes: a length that is always 1, and a number. */
function framesReceived(
  seed: number,
  settings: Partial<WorldSettings>,
  connections = 1,
  isFramed = true,
): Promise<number[][]> {
  return fromEventLoop(() => {
    const world = new World({ tape: generatedTape(seed), settings });
    const received: number[][] = [];
    world.network.declareFrames(7, {
      prefaceBytes: 1,
      handshakeFrames: 1,
      isFramed: (preface) => isFramed && preface[0] === 255,
      frameBytes: (bytes, position) => (bytes.length - position < 1 ? 0 : 1 + (bytes[position] ?? 0)),
    });
    world
      .addNode('server', async (platform) => {
        await platform.network.listen({ host: 'server', port: 7 }, {}, (connection) => {
          const bytes: number[] = [];
          received.push(bytes);
          connection.start({ data: (chunk) => bytes.push(...chunk), drained: () => {}, closed: () => {} });
        });
      })
      .start();
    world
      .addNode('client', async (platform) => {
        for (let i = 0; i < connections; i += 1) {
          const connection: Connection = await platform.network.connect(
            { host: 'server', port: 7 },
            { timeoutMs: 500 },
          );
          connection.start({ data: () => {}, drained: () => {}, closed: () => {} });
          // Written across frame borders, as a stream may be.
          const bytes = [255, 1, 200 + i];
          for (let number = 0; number < 50; number += 1) bytes.push(1, i * 50 + number);
          for (let at = 0; at < bytes.length; at += 7)
            connection.write(new Uint8Array(bytes.slice(at, at + 7)));
          connection.close();
          await new Promise<void>((resolve) => platform.timer(100, 'pace', resolve));
        }
      })
      .start();
    world.run(5000);
    expect(world.violation).toBeNull();
    for (const bytes of received) expect(bytes[0]).toBe(255);
    return received.map((bytes) => bytes.slice(1).filter((_, i) => i % 2 === 1));
  });
}

const numbers = Array.from({ length: 50 }, (_, i) => i);

test('frames pass unchanged while the settings ask for nothing', async () => {
  expect(await framesReceived(1, {})).toEqual([[200, ...numbers]]);
});

test('messages come twice, but never the handshake', async () => {
  const [got] = await framesReceived(1, { duplicatePerMille: 300 });
  expect(got!.length).toBeGreaterThan(55);
  expect(got!.filter((number) => number === 200).length).toBe(1);
  expect([...new Set(got)]).toEqual([200, ...numbers]);
});

test('a message may let the next one pass, and none is lost', async () => {
  const [got] = await framesReceived(1, { reorderPerMille: 300 });
  expect(got).not.toEqual([200, ...numbers]);
  expect(got![0]).toBe(200);
  expect([...got!].sort((a, b) => a - b)).toEqual([...numbers, 200]);
});

test('messages of an earlier connection come again on a later one', async () => {
  const [, second] = await framesReceived(1, { redeliverPerMille: 300 }, 2);
  expect(second![0]).toBe(201);
  expect(second!.some((number) => number < 50)).toBe(true);
  expect(second!.filter((number) => number >= 50 && number < 100).length).toBeGreaterThanOrEqual(50);
});

test('a stream that begins otherwise is none of frames, and is left alone', async () => {
  const settings = { duplicatePerMille: 500, reorderPerMille: 500, redeliverPerMille: 500 };
  expect(await framesReceived(1, settings, 1, false)).toEqual([[200, ...numbers]]);
});
