import fc from 'fast-check';
import { isFlotillaError } from '@flotilla/platform';
import { PutRequest, TxnRequest } from '@flotilla/wire';
import { seededRandom } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import { RandomRequests } from '../../test/random-requests.ts';
import { fragmentOf } from './fragment.ts';
import type { Decision, Fact, FactChange, ShardEntry } from './shard-entry.ts';
import { decodeShardEntry, encodeRequest, encodeShardEntry, mayNeedNeighbour } from './shard-entry-codec.ts';
import { voteErrorNames } from './vote.ts';
import { asTxn, type WriteRequest } from './write-request.ts';

const natural = fc.oneof(fc.nat(), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 12 });
const lease = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const origin = fc.record({ session: natural, request: natural, floor: natural });
const user = fc.option(fc.record({ name: fc.string({ unit: 'grapheme' }), authRevision: natural }));
const span = fc.record({ from: bytes, to: fc.option(bytes) });
const participants = fc.array(fc.record({ shard: natural, range: natural }), { maxLength: 4 });
const flags = fc.array(fc.boolean(), { maxLength: 5 });

const write: fc.Arbitrary<WriteRequest> = fc.nat().map((seed) => {
  const requests = new RandomRequests(seededRandom(seed));
  for (;;) {
    const { kind, message } = requests.next(1 + (seed % 20));
    if (kind !== 'compact') return { kind, request: message } as WriteRequest;
  }
});

const decision: fc.Arbitrary<Decision> = fc.record({
  transaction: fc.string(),
  origin,
  participants: fc.array(natural, { maxLength: 4 }),
  revokes: fc.option(lease),
  verdict: fc.constantFrom('commit', 'abort'),
  choices: flags,
  effective: fc.boolean(),
  changes: fc.array(fc.record({ operation: natural, participant: natural, count: natural }), {
    maxLength: 3,
  }),
  error: fc.option(fc.record({ name: fc.constantFrom(...voteErrorNames), revision: natural })),
  revision: natural,
});

const change: fc.Arbitrary<FactChange> = fc.oneof(
  fc.record({ kind: fc.constant('registered' as const), lease }),
  fc.record({
    kind: fc.constant('sessions-expired' as const),
    sessions: fc.array(natural, { maxLength: 4 }),
    lowest: natural,
  }),
  fc.record({ kind: fc.constant('auth' as const), change: bytes }),
  fc.record({ kind: fc.constant('compacted' as const), revision: natural }),
  fc.record({ kind: fc.constant('refused' as const), range: natural }),
  fc.record({
    kind: fc.constant('split' as const),
    span,
    range: natural,
    child: fc.record({ shard: natural, span, range: natural }),
  }),
  fc.record({ kind: fc.constant('absorbed' as const), into: natural }),
  fc.record({ kind: fc.constant('absorbs' as const), span, range: natural, drained: natural, upTo: natural }),
);

const fact: fc.Arbitrary<Fact> = fc.record({
  index: natural,
  previous: natural,
  base: natural,
  count: natural,
  decisions: fc.array(decision, { maxLength: 3 }),
  revision: natural,
  change: fc.option(change),
});

const rangeChange = fc.oneof(
  fc.record({ kind: fc.constant('split' as const), shard: natural, at: bytes }),
  fc.record({ kind: fc.constant('merge' as const), shard: natural, into: natural }),
);

const absent = fc.array(lease, { maxLength: 3 });

const entry: fc.Arbitrary<ShardEntry> = fc.oneof(
  fc.record({ kind: fc.constant('request' as const), origin, user, range: natural, write, absent }),
  fc.record({
    kind: fc.constant('prepare' as const),
    transaction: fc.string(),
    origin,
    user,
    participants,
    fragment: fc.option(fc.tuple(write, span).map(([whole, part]) => fragmentOf(asTxn(whole), part))),
    revokes: fc.option(lease),
    absent,
  }),
  fc.record({ kind: fc.constant('barrier' as const), change: rangeChange, range: natural }),
  fc.record({ kind: fc.constant('ordered' as const), fact }),
  fc.record({ kind: fc.constant('frontier' as const), after: natural, revision: natural, asked: natural }),
  fc.record({ kind: fc.constant('members' as const), membership: natural }),
);

const codes = ['FLOTILLA_ENTRY_INVALID', 'FLOTILLA_PROPOSAL_VERSION', 'FLOTILLA_PROPOSAL_KIND'];

describe('entries of a shard', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(entry, (one) => {
        expect(decodeShardEntry(encodeShardEntry(one))).toEqual(one);
      }),
      { numRuns: 80 },
    );
  });

  test('are refused when they end early or go on', () => {
    fc.assert(
      fc.property(entry, fc.nat(), (one, at) => {
        const whole = encodeShardEntry(one);
        const cut = whole.subarray(0, at % whole.length);
        // What is left of a request's own message may be a message.
        if (one.kind !== 'request' && one.kind !== 'prepare') {
          expect(() => decodeShardEntry(cut)).toThrow(expect.objectContaining({ code: codes[0] }) as Error);
          const longer = Uint8Array.of(...whole, 0);
          expect(() => decodeShardEntry(longer)).toThrow('ends where its bytes end');
        } else expectEntryOrRefusal(cut);
      }),
      { numRuns: 80 },
    );
  });

  test('are other entries or refused when a byte is another one', () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, by) => {
        const damaged = encodeShardEntry(one).slice();
        damaged[at % damaged.length] = (damaged[at % damaged.length] as number) ^ by;
        expectEntryOrRefusal(damaged);
      }),
      { numRuns: 80 },
    );
  });

  test('of a newer version are refused before anything of them is looked at', () => {
    expect(() => decodeShardEntry(Uint8Array.of(2))).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PROPOSAL_VERSION' }) as Error,
    );
    expect(() => decodeShardEntry(Uint8Array.of(1, 99))).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PROPOSAL_KIND' }) as Error,
    );
    expect(() => decodeShardEntry(new Uint8Array(0))).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_ENTRY_INVALID' }) as Error,
    );
  });

  test('of requests hold the bytes that these came in, and little else', () => {
    const put = PutRequest.create({ key: Uint8Array.of(1), value: new Uint8Array(100) });
    const request = PutRequest.encode(put);
    const about = { origin: { session: 3, request: 70, floor: 69 }, user: null, range: 2, absent: [] };
    const payload = encodeRequest({ ...about, write: 'put', request });
    expect(payload.subarray(-request.length)).toEqual(request);
    expect(payload.length - request.length).toBe(9);
    expect(decodeShardEntry(payload)).toEqual({
      kind: 'request',
      ...about,
      write: { kind: 'put', request: put },
    });
  });

  test('keep the bytes that they are stored with', () => {
    // Of version 1, for ever.
    const absorbs: FactChange = {
      kind: 'absorbs',
      span: { from: Uint8Array.of(97), to: null },
      range: 5,
      drained: 3,
      upTo: 40,
    };
    const stored: [ShardEntry, string][] = [
      [
        {
          kind: 'request',
          origin: { session: 1, request: 2, floor: 1 },
          user: { name: 'u', authRevision: 4 },
          range: 1,
          write: { kind: 'txn', request: TxnRequest.create({}) },
          absent: [7n],
        },
        '010101020101017504010100000000000000' + '0702',
      ],
      [{ kind: 'barrier', change: { kind: 'merge', shard: 2, into: 1 }, range: 3 }, '01030102' + '0103'],
      [
        {
          kind: 'ordered',
          fact: { index: 9, previous: 8, base: 100, count: 2, decisions: [], revision: 102, change: absorbs },
        },
        '010408090864026600' + '01610005' + '0328',
      ],
      [{ kind: 'frontier', after: 3, revision: 200, asked: 5 }, '010503c80105'],
      [{ kind: 'members', membership: 6 }, '010606'],
    ];
    for (const [one, hex] of stored) {
      expect(Buffer.from(encodeShardEntry(one)).toString('hex')).toBe(hex);
      expect(decodeShardEntry(Buffer.from(hex, 'hex'))).toEqual(one);
    }
  });

  test('tell with three bytes whether they may have to wait for a neighbour', () => {
    fc.assert(
      fc.property(entry, (one) => {
        const absorbs = one.kind === 'ordered' && one.fact.change?.kind === 'absorbs';
        expect(mayNeedNeighbour(encodeShardEntry(one))).toBe(absorbs);
      }),
    );
  });
});

function expectEntryOrRefusal(payload: Uint8Array): void {
  let decoded: ShardEntry;
  try {
    decoded = decodeShardEntry(payload);
  } catch (error) {
    expect(isFlotillaError(error) && codes.includes(error.code)).toBe(true);
    return;
  }
  expect(decodeShardEntry(encodeShardEntry(decoded))).toEqual(decoded);
}
