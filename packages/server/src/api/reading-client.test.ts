import { beforeEach, expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { limits } from '../limits.ts';
import { taken } from './reading-client.ts';

let platform: VirtualPlatform;
let client: SlowClient;

class SlowClient {
  bufferedBytes = 1_000_000;
  finish!: () => void;
  readonly #drained = new Promise<void>((resolve) => {
    this.finish = resolve;
  });

  drained(): Promise<void> {
    return this.#drained;
  }
}

beforeEach(() => {
  platform = new VirtualPlatform();
  client = new SlowClient();
});

test('a client that takes a little now and then is waited for', async () => {
  const waiting = taken(platform, client);
  for (let i = 0; i < 10; i += 1) {
    client.bufferedBytes -= 1;
    await platform.advance(limits.unreadAnswerMs);
  }
  client.finish();
  await expect(waiting).resolves.toBeUndefined();
});

test('one that takes nothing is given up when its time is over, and told why', async () => {
  let failure: unknown = null;
  const waiting = taken(platform, client).catch((error: unknown) => (failure = error));
  await platform.advance(limits.unreadAnswerMs - 1);
  expect(failure).toBeNull();
  await platform.advance(1);
  await waiting;
  expect(failure).toMatchObject({
    status: 8,
    message: 'etcdserver: the client does not read: it took nothing of the answer for 60 s',
  });
});
