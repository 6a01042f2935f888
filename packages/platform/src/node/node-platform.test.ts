import { expect, test } from 'vitest';
import { nodePlatform } from './index.ts';
import type { NodePlatformOptions } from './index.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function platformWith(options: Partial<NodePlatformOptions> = {}): ReturnType<typeof nodePlatform> {
  return nodePlatform({ nodeName: 'n1', logger: silent, onFatal: () => {}, ...options });
}

test('timers never fire early, and not at all when cancelled', async () => {
  const platform = platformWith();
  const cancelled = platform.timer(1, 'never', () => expect.unreachable());
  cancelled.cancel();
  for (let i = 0; i < 40; i += 1) {
    const delayMs = (i % 7) + 0.4;
    const start = platform.now();
    await new Promise<void>((resolve) => platform.timer(delayMs, 'test', resolve));
    expect(platform.now() - start).toBeGreaterThanOrEqual(delayMs);
  }
});

test('deferred calls run in order after the current turn, nested ones a turn later', async () => {
  const platform = platformWith();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    platform.defer(() => {
      order.push('a');
      platform.defer(() => {
        order.push('c');
        resolve();
      });
    });
    platform.defer(() => order.push('b'));
    order.push('now');
  });
  expect(order).toEqual(['now', 'a', 'b', 'c']);
});

test('the first unhandled failure is fatal, later ones are logged', async () => {
  const fatal: Error[] = [];
  const logged: string[] = [];
  const platform = platformWith({
    onFatal: (error) => fatal.push(error),
    logger: { ...silent, error: (message) => logged.push(message) },
  });
  platform.spawn('broken', () => Promise.reject(new Error('disk on fire')));
  await new Promise<void>((resolve) => {
    platform.timer(1, 'thrower', () => {
      platform.defer(resolve);
      throw new Error('second');
    });
  });
  expect(fatal.map((error) => error.message)).toEqual(['disk on fire']);
  expect(logged).toEqual(['task failed', 'another failure after a fatal one']);
});

test('the checksum is the CRC-32 of zlib and can be continued', () => {
  const platform = platformWith();
  const bytes = new TextEncoder().encode('123456789');
  expect(platform.checksum(bytes)).toBe(0xcbf43926);
  expect(platform.checksum(bytes.subarray(4), platform.checksum(bytes.subarray(0, 4)))).toBe(0xcbf43926);
});

test('tracing is off without a listener', () => {
  expect(platformWith().tracing).toBe(false);
  const kinds: string[] = [];
  const platform = platformWith({ onTrace: (kind) => kinds.push(kind) });
  platform.trace('elected', { term: 3 });
  expect(platform.tracing).toBe(true);
  expect(kinds).toEqual(['elected']);
});
