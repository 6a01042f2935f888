import { emptyConfiguration } from '@flotilla/raft';
import { seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import { EventType, WatchCreateRequest } from '@flotilla/wire';
import type { WatchResponse } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Database } from '../src/database.ts';
import { MemoryStorage } from '../src/memory/memory-storage.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import type { WatchHubOptions } from '../src/watch/hub.ts';
import type { WatchStream } from '../src/watch/stream.ts';
import { entryOf } from './entries.ts';
import { Model, inRange, toModelVersion } from './model.ts';
import type { ModelEvent } from './model.ts';
import { RandomRequests } from './random-requests.ts';
import { VirtualPlatform } from './virtual-platform.ts';

const noMetaConfiguration = emptyConfiguration;

/** One watch as its client sees it, checked as the responses come. */
class Watch {
  readonly request: WatchCreateRequest;
  readonly #model: Model;
  id: number | null = null;
  /** The first revision that it is to be told of. */
  start = 0;
  received = 0;
  lastRevision = 0;
  progress = 0;
  fragments = 0;
  compactRevision = 0;
  canceled = false;
  #fragmentOf = 0;

  constructor(model: Model, request: WatchCreateRequest) {
    this.#model = model;
    this.request = request;
  }

  /** History as this watch must see it. */
  expected(): ModelEvent[] {
    const filters = this.request.filters;
    const key = this.request.key.length === 0 ? Uint8Array.of(0) : this.request.key;
    return this.#model.events.filter(
      (event) =>
        event.revision >= this.start &&
        inRange(event.key, { key, rangeEnd: this.request.rangeEnd }) &&
        !filters.includes(event.deleted ? 1 : 0),
    );
  }

  take(response: WatchResponse): void {
    expect(this.canceled, 'nothing comes after a cancellation').toBe(false);
    if (response.canceled) {
      this.canceled = true;
      this.compactRevision = response.compactRevision;
      return;
    }
    if (response.events.length === 0) {
      this.progressed(response.header!.revision);
      return;
    }
    const expected = this.expected();
    const first = response.events[0]!.kv!.modRevision;
    // Atomic: a response begins with a new revision, unless it goes on with a fragment.
    if (this.#fragmentOf === 0) expect(first).toBeGreaterThan(this.lastRevision);
    expect(first, 'nothing at or before a progress notice').toBeGreaterThan(this.progress);
    for (const event of response.events) {
      const should = expected[this.received];
      this.received += 1;
      expect({
        revision: event.kv!.modRevision,
        deleted: event.type === EventType.DELETE,
        kv: event.type === EventType.DELETE ? null : toModelVersion(event.kv!),
      }).toEqual({ revision: should?.revision, deleted: should?.deleted, kv: should?.kv });
      this.lastRevision = event.kv!.modRevision;
      this.#checkPrevious(event.prevKv === null ? null : toModelVersion(event.prevKv), should!);
    }
    const next = expected[this.received];
    if (response.fragment) this.fragments += 1;
    else expect(next?.revision).not.toBe(this.lastRevision);
    this.#fragmentOf = response.fragment ? this.lastRevision : 0;
    expect(response.header!.revision).toBeGreaterThanOrEqual(this.lastRevision);
  }

  progressed(revision: number): void {
    this.progress = revision;
    const missing = this.expected()[this.received];
    expect(missing === undefined || missing.revision > revision, 'progress is not ahead').toBe(true);
  }

  #checkPrevious(previous: unknown, event: ModelEvent): void {
    const creates = event.kv?.createRevision === event.revision;
    const before = creates ? null : (this.#model.stateAt(event.revision - 1).get(event.key) ?? null);
    if (!this.request.prevKv) expect(previous).toBeNull();
    else if (previous === null) {
      expect(before === null || event.revision - 1 < this.#model.compactRevision).toBe(true);
    } else expect(previous).toEqual(before);
  }
}

/** A client with one stream that takes responses when it likes. */
class Client {
  readonly watches: Watch[] = [];
  readonly stream: WatchStream;
  responses = 0;
  readonly #random: Random;
  readonly #model: Model;
  readonly #byId = new Map<number, Watch>();
  #pending: Watch[] = [];
  #slow = false;

  constructor(database: Database, model: Model, random: Random) {
    this.#random = random;
    this.#model = model;
    this.stream = database.watches.open({ send: (response) => this.#take(response) });
  }

  create(request: WatchCreateRequest): void {
    const watch = new Watch(this.#model, request);
    watch.start = request.startRevision === 0 ? this.#model.revision + 1 : request.startRevision;
    this.watches.push(watch);
    this.#pending.push(watch);
    this.stream.create(request);
  }

  cancelOne(): void {
    const ids = [...this.#byId.keys()];
    if (ids.length > 0) this.stream.cancel(ids[this.#random.below(ids.length)]!);
  }

  /** From here on the client is as slow, or as fast, as told. */
  be(slow: boolean): void {
    this.#slow = slow;
    if (!slow) this.stream.drained();
  }

  #take(response: WatchResponse): boolean {
    this.responses += 1;
    if (response.created) {
      const watch = this.#pending.shift()!;
      expect(response.canceled).toBe(false);
      watch.id = response.watchId;
      this.#byId.set(response.watchId, watch);
    } else if (response.watchId === -1) {
      for (const watch of this.#byId.values()) watch.progressed(response.header!.revision);
    } else {
      const watch = this.#byId.get(response.watchId)!;
      watch.take(response);
      if (response.canceled) this.#byId.delete(response.watchId);
    }
    return !this.#slow;
  }
}

function randomWatch(random: Random, requests: RandomRequests, revision: number): WatchCreateRequest {
  const shapes = [new Uint8Array(0), Uint8Array.of(0)];
  let key: Uint8Array = requests.key();
  let rangeEnd: Uint8Array = shapes[random.below(2)]!;
  if (random.below(3) === 0) {
    const other = requests.key();
    if (Buffer.compare(key, other) < 0) rangeEnd = other;
    else if (Buffer.compare(key, other) > 0) [key, rangeEnd] = [other, key];
  }
  return WatchCreateRequest.create({
    key,
    rangeEnd,
    startRevision: random.below(3) === 0 ? 0 : Math.max(1, revision + 8 - random.below(60)),
    filters: [[], [], [0], [1], [0, 1]][random.below(5)]!,
    prevKv: random.below(2) === 0,
    progressNotify: random.below(3) === 0,
    fragment: random.below(4) === 0,
  });
}

async function openDatabase(platform: VirtualPlatform, watch: Partial<WatchHubOptions>): Promise<Database> {
  const options = { image: null, maxCommitDelayMs: 10, maxFlushDelayMs: 10 };
  return Database.open(platform, new MemoryStorage(platform, storageTables, options), { watch });
}

/** So small that everything is cut, falls behind and waits. */
const narrow: Partial<WatchHubOptions> = {
  fragmentBytes: 150,
  streamBufferBytes: 400,
  streamBufferResponses: 3,
  batchBytes: 500,
  batchEvents: 4,
  sliceWatchers: 2,
  sliceEvents: 7,
};

interface Tally {
  events: number;
  fragments: number;
  compacted: number;
  progress: number;
}

async function watchRandomly(seed: number, steps: number, tally: Tally): Promise<void> {
  const random = seededRandom(seed);
  const platform = new VirtualPlatform(seed);
  const database = await openDatabase(platform, seed % 3 === 0 ? {} : narrow);
  const model = new Model();
  const requests = new RandomRequests(random.fork('requests'), 10);
  const clients = Array.from({ length: 3 }, () => new Client(database, model, random));
  for (let step = 0; step < steps; step += 1) {
    const batch = Array.from({ length: random.below(4) }, (_, i) => {
      const request = requests.next(model.revision);
      model.apply(request.kind, request.message);
      return entryOf(database.applied.index + 1 + i, request);
    });
    database.apply(batch);
    const client = clients[random.below(clients.length)]!;
    const choice = random.below(12);
    if (choice < 3 && client.watches.length < 30)
      client.create(randomWatch(random, requests, model.revision));
    else if (choice === 3) client.cancelOne();
    else if (choice === 4) client.stream.requestProgress();
    else if (choice === 5) client.be(random.below(2) === 0);
    if (random.below(3) === 0) await platform.advance(random.below(20));
    if (random.below(400) === 0) await platform.advance(700_000);
    if (random.below(150) === 0) await reinstall(database, platform);
  }
  for (const client of clients) client.be(false);
  await platform.advance(3_000);
  for (const client of clients) {
    for (const watch of client.watches) {
      const expected = watch.expected();
      tally.events += watch.received;
      tally.fragments += watch.fragments;
      if (watch.progress > 0) tally.progress += 1;
      if (watch.compactRevision > 0) {
        tally.compacted += 1;
        // It was told everything up to some point, and what came next was compacted.
        const told = Math.max(watch.lastRevision + 1, watch.start);
        expect(told).toBeLessThan(watch.compactRevision);
      } else if (!watch.canceled) expect(watch.received).toBe(expected.length);
    }
  }
}

/** The member is given a snapshot of what it has: watchers must not notice. */
async function reinstall(database: Database, platform: VirtualPlatform): Promise<void> {
  const run = async (): Promise<void> => {
    const source = database.snapshot();
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.chunks()) chunks.push(chunk);
    const sink = await database.install({ ...database.applied, configuration: noMetaConfiguration });
    for (const chunk of chunks) await sink.write(chunk);
    await sink.finish();
  };
  const done = run();
  await platform.advance(500);
  await done;
}

describe('every watcher sees its part of history, in order, once, whole', () => {
  const tally: Tally = { events: 0, fragments: 0, compacted: 0, progress: 0 };
  for (let seed = 1; seed <= 14; seed += 1) {
    test(`seed ${seed}`, () => watchRandomly(seed, 400, tally));
  }

  test('and all of that has happened', () => {
    expect(tally.events).toBeGreaterThan(3_000);
    expect(tally.fragments).toBeGreaterThan(5);
    expect(tally.compacted).toBeGreaterThan(5);
    expect(tally.progress).toBeGreaterThan(5);
  });
});
