import { PutRequest, WatchCreateRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { toBytes } from '../../test/model.ts';
import { VirtualPlatform } from '../../test/virtual-platform.ts';
import { MemoryShardStore } from '../../simulation/ordering/memory-shard-store.ts';
import { holdsKey } from '../shard/key-span.ts';
import { ShardEvent } from './event-page.ts';
import type { HistoryPage, HistoryRequest, SharedHistory } from './history.ts';
import { WatchHub } from './hub.ts';

const slowMs = 1_000;

/** Where keys from `m` on are, nobody answers until it is mended. */
class HalfDead implements SharedHistory {
  readonly #platform: VirtualPlatform;
  readonly #events: ShardEvent[] = [];
  revision = 1;
  compactRevision = -1;
  isMended = false;

  constructor(platform: VirtualPlatform) {
    this.#platform = platform;
  }

  put(key: string): void {
    this.revision += 1;
    const { value } = PutRequest.create({ value: toBytes('v') });
    const numbers = { createRevision: this.revision, modRevision: this.revision, version: 1 };
    this.#events.push(new ShardEvent({ key: toBytes(key), value, lease: 0n, ...numbers }, false, null, 0));
  }

  newest(): Promise<number> {
    return Promise.resolve(this.revision);
  }

  async read({ parts, through }: HistoryRequest): Promise<HistoryPage> {
    const dead = parts.filter(({ span }) => span.from[0] === toBytes('m')[0]);
    if (dead.length > 0 && !this.isMended) {
      await new Promise<void>((resolve) => {
        this.#platform.timer(slowMs, 'nobody answers', resolve);
      });
    }
    const missing = this.isMended ? [] : dead.map(({ span }) => span);
    const isAsked = ({ key, revision }: ShardEvent): boolean =>
      revision <= through && parts.some(({ span, from }) => revision >= from && holdsKey(span, key));
    return { events: this.#events.filter(isAsked), through, missing };
  }
}

test('keys that nobody can be asked about hold up those who watch them, and nobody else', async () => {
  const platform = new VirtualPlatform();
  const history = new HalfDead(platform);
  const hub = new WatchHub(platform, new MemoryShardStore().keys);
  hub.hold();
  const grown = hub.follow(history);
  const told = new Map<string, number[]>();
  for (const key of ['a', 'm']) {
    const revisions: number[] = [];
    told.set(key, revisions);
    const stream = hub.open({
      send: ({ events }) => {
        for (const { kv } of events) revisions.push(kv!.modRevision);
        return true;
      },
    });
    stream.create(WatchCreateRequest.create({ key: toBytes(key) }));
  }
  await platform.advance(10);
  const lags: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    history.put('a');
    history.put('m');
    grown();
    const since = platform.now();
    while (told.get('a')?.at(-1) !== history.revision - 1) await platform.advance(1);
    lags.push(platform.now() - since);
    await platform.advance(150);
  }
  // Once it is not known yet.
  expect(lags.filter((lag) => lag > 5)).toHaveLength(1);
  expect(told.get('m')).toEqual([]);
  history.isMended = true;
  await platform.advance(3 * slowMs);
  expect(told.get('m')).toEqual(Array.from({ length: 20 }, (_, i) => 3 + 2 * i));
  history.put('m');
  grown();
  await platform.advance(5);
  expect(told.get('m')?.at(-1)).toBe(history.revision);
});
