import { emptyConfiguration, type Entry, type Index, type Term } from '@flotilla/raft';
import { type Random, seededRandom } from '@flotilla/platform';
import {
  CompactionRequest,
  CompareResult,
  CompareTarget,
  etcdErrors,
  PutRequest,
  TxnRequest,
} from '@flotilla/wire';
import { afterEach, describe, expect, test } from 'vitest';
import { toBytes } from '../../test/model.ts';
import { VirtualPlatform } from '../../test/virtual-platform.ts';
import type { ApplyResult } from '../apply-result.ts';
import { Database } from '../database.ts';
import { limits } from '../limits.ts';
import { MemoryImage, MemoryStorage } from '../memory/memory-storage.ts';
import { storageTables } from '../mvcc/tables.ts';
import { encodeProposal, noOrigin, type Origin, type ProposalKind } from '../proposal.ts';
import { encodeSessionExpiry } from './session.ts';

/** A database with the log that it came from: what a crash takes is applied again. */
class Replica {
  database!: Database;
  platform = new VirtualPlatform();
  readonly log: Entry[];
  readonly #image = new MemoryImage();

  constructor(log: readonly Entry[] = []) {
    this.log = [...log];
  }

  static async open(): Promise<Replica> {
    const replica = new Replica();
    await replica.reopen();
    return replica;
  }

  /** After a crash, when it was open. */
  async reopen(): Promise<void> {
    this.platform.crash();
    this.platform = new VirtualPlatform();
    const options = { image: this.#image, maxCommitDelayMs: 5, maxFlushDelayMs: 40 };
    const storage = new MemoryStorage(this.platform, storageTables, options);
    this.database = await this.run(Database.open(this.platform, storage));
    const rest = this.log.filter(({ index }) => index > this.database.applied.index);
    if (rest.length > 0) this.database.apply(rest);
  }

  /** Another member, which got this one's state as a snapshot. */
  async copy(): Promise<Replica> {
    const other = new Replica(this.log);
    const options = { image: other.#image, maxCommitDelayMs: 5, maxFlushDelayMs: 40 };
    other.database = await Database.open(
      other.platform,
      new MemoryStorage(other.platform, storageTables, options),
    );
    const source = this.database.snapshot();
    const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };
    const sink = await other.run(other.database.install(meta));
    for await (const chunk of this.#chunks(source.chunks())) await other.run(sink.write(chunk));
    await other.run(sink.finish());
    expect(other.database.hash()).toEqual(this.database.hash());
    return other;
  }

  async *#chunks(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const iterator = chunks[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.run(iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    for (let i = 0; i < 10_000 && !settled; i += 1) await this.platform.advance(1);
    return promise;
  }

  apply(kind: ProposalKind, request: Uint8Array, origin: Origin = noOrigin): ApplyResult {
    const index = (this.database.applied.index + 1) as Index;
    const payload = encodeProposal({ kind, requestId: index, request, origin });
    const entry: Entry = { index, term: 1 as Term, kind: 'command', payload };
    this.log.push(entry);
    return this.database.apply([entry])[0] as ApplyResult;
  }

  put(key: string, value: string, origin: Origin = noOrigin): ApplyResult {
    const request = PutRequest.create({ key: toBytes(key), value: toBytes(value), prevKv: true });
    return this.apply('put', PutRequest.encode(request), origin);
  }

  read(key: string): { readonly value: string; readonly version: number } | null {
    const kv = this.database.range({ ...emptyRange, key: toBytes(key) }).kvs[0];
    return kv === undefined ? null : { value: Buffer.from(kv.value).toString(), version: kv.version };
  }

  get uses(): string[] {
    return [...this.database.sessionUses()].map(({ id }) => id);
  }
}

const emptyRange = {
  rangeEnd: new Uint8Array(0),
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
} as const;

function asked(id: string, request: number, done = 0, digest: Uint8Array = new Uint8Array(0)): Origin {
  return { user: null, session: { id, request, done, digest } };
}

function refused(result: ApplyResult): string {
  return result.kind === 'error' ? result.error.message : `answered as a ${result.kind}`;
}

const expired = 'flotilla: session expired';
const tooOld = 'flotilla: request number is no longer kept';
const otherRequest = 'flotilla: request number was used for another request';
const replyDropped = 'flotilla: request was executed, its reply is no longer kept';

describe('a request that comes again', () => {
  test('is answered as it was, and has no second effect', async () => {
    const replica = await Replica.open();
    replica.put('k', 'before', asked('s', 1));
    const first = replica.put('k', 'a', asked('s', 2, 1));
    replica.put('k', 'by somebody else');
    expect(replica.put('k', 'a', asked('s', 2, 1))).toEqual(first);
    expect(replica.read('k')).toEqual({ value: 'by somebody else', version: 3 });
  });

  test('is answered alike after a crash, after a restart, and by a member that got a snapshot', async () => {
    const replica = await Replica.open();
    const first = replica.put('k', 'a', asked('s', 1));
    await replica.reopen();
    expect(replica.put('k', 'a', asked('s', 1))).toEqual(first);
    await replica.platform.advance(500);
    await replica.reopen();
    expect(replica.put('k', 'a', asked('s', 1))).toEqual(first);
    const other = await replica.copy();
    expect(other.put('k', 'a', asked('s', 1))).toEqual(first);
    expect(other.read('k')?.version).toBe(1);
    expect(other.database.hash()).not.toEqual(replica.database.hash());
    replica.put('k', 'a', asked('s', 1));
    expect(other.database.hash()).toEqual(replica.database.hash());
  });

  test('is answered alike where the first try changed nothing', async () => {
    const replica = await Replica.open();
    replica.put('k', 'a');
    const compare = {
      key: toBytes('k'),
      rangeEnd: new Uint8Array(0),
      target: CompareTarget.VERSION,
      result: CompareResult.EQUAL,
      targetUnion: { case: 'version' as const, value: 7 },
    };
    const read = { ...emptyRange, key: toBytes('k') };
    const request = TxnRequest.encode(
      TxnRequest.create({
        compare: [compare],
        failure: [{ request: { case: 'requestRange', value: read } }],
      }),
    );
    const first = replica.apply('txn', request, asked('s', 1));
    replica.put('k', 'b');
    expect(replica.apply('txn', request, asked('s', 1))).toEqual(first);
    await replica.reopen();
    expect(replica.apply('txn', request, asked('s', 1))).toEqual(first);
  });

  test('is refused as it was, though it would not be refused any more', async () => {
    const replica = await Replica.open();
    const compaction = CompactionRequest.encode({ revision: 3, physical: false });
    expect(refused(replica.apply('compact', compaction, asked('s', 1)))).toBe(
      etcdErrors.futureRevision.message,
    );
    for (const value of ['a', 'b', 'c']) replica.put('k', value);
    const again = replica.apply('compact', compaction, asked('s', 1));
    expect(again).toMatchObject({ kind: 'error', error: { status: etcdErrors.futureRevision.status } });
    expect(refused(again)).toBe(etcdErrors.futureRevision.message);
    expect(replica.database.compactRevision).toBe(-1);
    expect(replica.apply('compact', compaction, asked('s', 2)).kind).toBe('compact');
  });

  test('may be told from another one by what the client sent, where a member adds something of its own', async () => {
    const replica = await Replica.open();
    const digest = Uint8Array.of(1, 2, 3);
    const first = replica.put('k', 'with the first id', asked('s', 1, 0, digest));
    expect(replica.put('k', 'with another id', asked('s', 1, 0, digest))).toEqual(first);
    expect(refused(replica.put('k', 'x', asked('s', 1, 0, Uint8Array.of(1, 2, 4))))).toBe(otherRequest);
    expect(replica.read('k')?.value).toBe('with the first id');
  });
});

describe('numbers', () => {
  test('come in any order, several at once', async () => {
    const replica = await Replica.open();
    const order = [1, 4, 2, 9, 3];
    const first = order.map((number) => replica.put(`k${number}`, 'v', asked('s', number)));
    const again = [...order].reverse().map((number) => replica.put(`k${number}`, 'v', asked('s', number)));
    expect(again.reverse()).toEqual(first);
    expect(replica.put('k5', 'v', asked('s', 5)).kind).toBe('put');
    for (const number of [...order, 5]) expect(replica.read(`k${number}`)?.version).toBe(1);
  });

  test('that the client is done with are refused, executed or not', async () => {
    const replica = await Replica.open();
    replica.put('k', '1', asked('s', 1));
    replica.put('k', '3', asked('s', 3));
    replica.put('k', '4', asked('s', 4, 3));
    for (const number of [1, 2, 3]) expect(refused(replica.put('k', 'x', asked('s', number)))).toBe(tooOld);
    expect(replica.put('k', '4', asked('s', 4)).kind).toBe('put');
    expect(replica.read('k')).toEqual({ value: '4', version: 3 });
  });

  test('that lie too far behind the newest are refused, executed or not', async () => {
    const replica = await Replica.open();
    const window = limits.sessionWindowRequests;
    replica.put('k', '1', asked('s', 1));
    const second = replica.put('k', '2', asked('s', 2));
    replica.put('k', 'far', asked('s', window + 1));
    expect(refused(replica.put('k', '1', asked('s', 1)))).toBe(tooOld);
    expect(replica.put('k', '2', asked('s', 2))).toEqual(second);
    replica.put('k', 'farther', asked('s', 10 * window));
    expect(refused(replica.put('k', '2', asked('s', 2)))).toBe(tooOld);
    expect(refused(replica.put('k', 'new', asked('s', 9 * window)))).toBe(tooOld);
    expect(replica.put('k', 'new', asked('s', 9 * window + 1)).kind).toBe('put');
    expect(replica.read('k')?.version).toBe(5);
  });

  test('stand for one request each', async () => {
    const replica = await Replica.open();
    const first = replica.put('k', 'a', asked('s', 1));
    expect(refused(replica.put('k', 'b', asked('s', 1)))).toBe(otherRequest);
    // The same bytes, but of another kind of request.
    const bytes = PutRequest.encode(
      PutRequest.create({ key: toBytes('k'), value: toBytes('a'), prevKv: true }),
    );
    expect(refused(replica.apply('delete-range', bytes, asked('s', 1)))).toBe(otherRequest);
    expect(replica.put('k', 'a', asked('s', 1))).toEqual(first);
    expect(replica.read('k')).toEqual({ value: 'a', version: 1 });
  });
});

describe('a session', () => {
  test('begins with request 1: any other number of an unknown one is refused and never executed', async () => {
    const replica = await Replica.open();
    expect(refused(replica.put('k', 'v', asked('s', 2)))).toBe(expired);
    expect(refused(replica.put('k', 'v', asked('s', 2, 1)))).toBe(expired);
    expect(replica.read('k')).toBeNull();
    expect(replica.put('k', 'v', asked('s', 1)).kind).toBe('put');
    expect(replica.put('k', 'w', asked('s', 2, 1)).kind).toBe('put');
  });

  test('belongs to the user who began it', async () => {
    const replica = await Replica.open();
    replica.put('k', 'a', asked('s', 1));
    const request = PutRequest.encode(PutRequest.create({ key: toBytes('k'), value: toBytes('b') }));
    const origin: Origin = { ...asked('s', 2), user: { name: 'eve', authRevision: 1 } };
    expect(refused(replica.apply('put', request, origin))).toBe('flotilla: session belongs to another user');
    expect(replica.put('k', 'c', asked('s', 2, 1)).kind).toBe('put');
    expect(replica.read('k')).toEqual({ value: 'c', version: 2 });
  });

  test('ends when it was not used since it was found idle; then even its first request is refused', async () => {
    const replica = await Replica.open();
    replica.put('k', 'a', asked('idle', 1));
    replica.put('l', 'a', asked('busy', 1));
    const found = [...replica.database.sessionUses()];
    replica.put('l', 'b', asked('busy', 2));
    replica.apply('session-expire', encodeSessionExpiry(found));
    expect(replica.uses).toEqual(['busy']);
    for (const reopened of [false, true]) {
      if (reopened) await replica.reopen();
      expect(refused(replica.put('k', 'a', asked('idle', 1)))).toBe(expired);
      expect(refused(replica.put('k', 'b', asked('idle', 2, 1)))).toBe(expired);
    }
    expect(refused((await replica.copy()).put('k', 'a', asked('idle', 1)))).toBe(expired);
    expect(replica.read('k')?.version).toBe(1);
    expect(replica.put('l', 'c', asked('busy', 3)).kind).toBe('put');
  });

  test('leaves nothing behind but its name when it ends', async () => {
    const replica = await Replica.open();
    const value = 'v'.repeat(10_000);
    for (let number = 1; number <= 20; number += 1) replica.put('k', value, asked('s', number));
    const { sessions } = replica.database.stats;
    expect(sessions.bytes).toBeGreaterThan(19 * value.length);
    replica.apply('session-expire', encodeSessionExpiry([...replica.database.sessionUses()]));
    expect(replica.database.stats.sessions).toEqual({ count: 0, bytes: 0, forgotten: 1 });
  });
});

describe('bounds', () => {
  const original = { ...limits };
  afterEach(() => Object.assign(limits, original));

  /** So that a test reaches it within milliseconds. */
  function lower(name: keyof typeof limits, value: number): void {
    expect(value).toBeLessThan(limits[name]);
    Object.assign(limits, { [name]: value });
  }

  test('so many forgotten names are refused; then the oldest one may begin anew', async () => {
    lower('forgottenSessions', 3);
    const replica = await Replica.open();
    for (const id of ['a', 'b', 'c', 'd']) {
      replica.put('k', 'v', asked(id, 1));
      replica.apply('session-expire', encodeSessionExpiry([...replica.database.sessionUses()]));
    }
    await replica.reopen();
    for (const id of ['b', 'c', 'd']) expect(refused(replica.put('k', 'v', asked(id, 1)))).toBe(expired);
    expect(replica.put('k', 'v', asked('a', 1)).kind).toBe('put');
    expect(replica.database.stats.sessions).toMatchObject({ count: 1, forgotten: 3 });
  });

  test('beyond so many sessions the one that was used least recently is forgotten, alike everywhere', async () => {
    lower('sessions', 200);
    const replica = await Replica.open();
    for (let i = 0; i < limits.sessions; i += 1) replica.put('k', 'v', asked(`s${i}`, 1));
    // A retry is a use, too.
    replica.put('k', 'v', asked('s0', 1));
    const other = await replica.copy();
    await other.reopen();
    for (const each of [replica, other]) {
      each.put('k', 'v', asked('one more', 1));
      expect(each.database.stats.sessions.count).toBe(limits.sessions);
      expect(refused(each.put('k', 'v', asked('s1', 1)))).toBe(expired);
      expect(each.put('k', 'v', asked('s0', 1)).kind).toBe('put');
      expect(each.put('k', 'v', asked('s2', 1)).kind).toBe('put');
    }
    expect(other.database.hash()).toEqual(replica.database.hash());
  });

  test('of a session with many large replies the oldest bodies go, and what was executed stays known', async () => {
    const replica = await Replica.open();
    const value = 'v'.repeat(300_000);
    replica.put('k', value);
    const count = 40;
    for (let number = 1; number <= count; number += 1) {
      replica.put('k', value, asked('s', number));
      expect(replica.put('k', value, asked('s', number)).kind).toBe('put');
    }
    expect(replica.database.stats.sessions.bytes).toBeLessThanOrEqual(limits.sessionBytes);
    expect(refused(replica.put('k', value, asked('s', 1)))).toBe(replyDropped);
    await replica.platform.advance(500);
    await replica.reopen();
    expect(refused(replica.put('k', value, asked('s', 1)))).toBe(replyDropped);
    expect(refused(replica.put('k', 'other', asked('s', 1)))).toBe(otherRequest);
    expect(replica.put('k', value, asked('s', count)).kind).toBe('put');
    expect(replica.read('k')?.version).toBe(count + 1);
  });

  test('of a very large reply only that its request was executed is kept', async () => {
    const replica = await Replica.open();
    replica.put('k', 'v'.repeat(limits.sessionReplyBytes));
    expect(replica.put('k', 'small', asked('s', 1)).kind).toBe('put');
    expect(refused(replica.put('k', 'small', asked('s', 1)))).toBe(replyDropped);
    expect(replica.read('k')?.version).toBe(2);
  });

  test('all sessions together keep so many bytes', async () => {
    const replica = await Replica.open();
    lower('sessionsBytes', 5_000_000);
    const value = 'v'.repeat(100_000);
    replica.put('k', value);
    const count = Math.ceil(limits.sessionsBytes / value.length) + 5;
    for (let i = 0; i < count; i += 1) replica.put('k', value, asked(`s${i}`, 1));
    const { sessions } = replica.database.stats;
    expect(sessions.bytes).toBeLessThanOrEqual(limits.sessionsBytes);
    expect(sessions.count).toBeLessThan(count);
    expect(sessions.forgotten).toBe(count - sessions.count);
    expect(refused(replica.put('k', value, asked('s0', 1)))).toBe(expired);
    expect(replica.put('k', value, asked(`s${count - 1}`, 1)).kind).toBe('put');
  });
});

describe('any interleaving of new requests, retries, crashes, snapshots and restarts', () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    test(`executes each request exactly once, seed ${seed}`, async () => {
      const random = seededRandom(seed);
      let replica = await Replica.open();
      const clients = ['a', 'b', 'c'].map((id) => new Client(id, random));
      for (let step = 0; step < 150; step += 1) {
        const drawn = random.below(20);
        const client = clients[random.below(clients.length)] as Client;
        if (drawn < 9) client.begin(replica);
        else if (drawn < 16) client.repeat(replica);
        else if (drawn === 16) await replica.reopen();
        else if (drawn === 17) replica = await replica.copy();
        else await replica.platform.advance(random.below(100));
      }
      for (const client of clients) client.judge(replica);
    });
  }
});

/** Makes requests of one session, several at once, and asks again for those whose reply it has not taken. */
class Client {
  readonly #id: string;
  readonly #random: Random;
  /** By number − 1. */
  readonly #replies: ApplyResult[] = [];
  #done = 0;

  constructor(id: string, random: Random) {
    this.#id = id;
    this.#random = random;
  }

  begin(replica: Replica): void {
    const number = this.#replies.length + 1;
    this.#replies.push(this.#ask(replica, number));
  }

  repeat(replica: Replica): void {
    const number = this.#done + 1 + this.#random.below(Math.max(this.#replies.length - this.#done, 1));
    if (number > this.#replies.length) return;
    expect(this.#ask(replica, number)).toEqual(this.#replies[number - 1]);
    if (this.#random.below(2) === 0) this.#done = number - 1;
  }

  judge(replica: Replica): void {
    for (const number of this.#replies.keys()) {
      expect(replica.read(`${this.#id}${number + 1}`)?.version).toBe(1);
    }
  }

  /** Every other one writes a shared key too, so that an answer depends on when it was executed. */
  #ask(replica: Replica, number: number): ApplyResult {
    const origin = asked(this.#id, number, Math.min(this.#done, number - 1));
    const own = PutRequest.create({ key: toBytes(`${this.#id}${number}`), value: toBytes('v') });
    const shared = PutRequest.create({ key: toBytes('shared'), value: toBytes(this.#id), prevKv: true });
    const success = [{ request: { case: 'requestPut' as const, value: own } }];
    if (number % 2 === 0) success.push({ request: { case: 'requestPut', value: shared } });
    return replica.apply('txn', TxnRequest.encode(TxnRequest.create({ success })), origin);
  }
}
