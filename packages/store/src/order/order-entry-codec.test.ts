import fc from 'fast-check';
import { isFlotillaError } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import { voteErrorNames } from '../shard/vote.ts';
import { wishKinds } from './cluster-wishes.ts';
import type { OrderEntry, ProposedDecision } from './order-entry.ts';
import { decodeOrderEntry, encodeOrderEntry, mayChangeRange, nodeStates } from './order-entry-codec.ts';

const natural = fc.oneof(fc.nat(), fc.maxSafeNat());
const integer = fc.maxSafeInteger();
const bytes = fc.uint8Array({ maxLength: 12 });
const lease = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const origin = fc.record({ session: natural, request: natural, floor: natural });
const user = fc.option(fc.record({ name: fc.string({ unit: 'grapheme' }), authRevision: natural }));
const nodes = fc.array(natural, { maxLength: 5 });
const labels = fc.array(fc.record({ name: fc.string(), value: fc.string() }), { maxLength: 3 });
const node = fc.record({ node: natural, zone: fc.string({ unit: 'grapheme' }), labels });

const decision: fc.Arbitrary<ProposedDecision> = fc.record({
  transaction: fc.string(),
  origin,
  participants: nodes,
  revokes: fc.option(lease),
  verdict: fc.constantFrom('commit', 'abort'),
  choices: fc.array(fc.boolean(), { maxLength: 5 }),
  effective: fc.boolean(),
  changes: fc.array(fc.record({ operation: natural, participant: natural, count: natural }), {
    maxLength: 3,
  }),
  error: fc.option(fc.record({ name: fc.constantFrom(...voteErrorNames), revision: natural })),
});

const rangeChange = fc.oneof(
  fc.record({ kind: fc.constant('split' as const), shard: natural, at: bytes }),
  fc.record({ kind: fc.constant('merge' as const), shard: natural, into: natural }),
);

function of<Kind extends OrderEntry['kind']>(
  kind: Kind,
  fields: {
    [Field in Exclude<keyof Extract<OrderEntry, { kind: Kind }>, 'kind'>]: fc.Arbitrary<
      Extract<OrderEntry, { kind: Kind }>[Field]
    >;
  },
): fc.Arbitrary<OrderEntry> {
  return fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<OrderEntry>;
}

const entry = fc.oneof(
  of('begin', { nodes: fc.array(node, { maxLength: 4 }) }),
  of('own', { entry: fc.record({ kind: fc.constant('members' as const), membership: natural }) }),
  of('cut', {
    counts: fc.array(fc.record({ shard: natural, upTo: natural }), { maxLength: 5 }),
    decisions: fc.array(decision, { maxLength: 3 }),
    logged: fc.array(fc.record({ shard: natural, index: natural }), { maxLength: 5 }),
  }),
  of('range', { change: rangeChange, range: natural, nodes }),
  of('members', { shard: natural, membership: natural, nodes }),
  of('grant', { origin, user, lease, ttl: integer }),
  of('presplit', { keys: fc.array(bytes, { maxLength: 4 }), configuration: natural }),
  of('renew', { leases: fc.array(lease, { maxLength: 5 }) }),
  of('revoke', { origin, user, lease }),
  of('expire', {
    term: natural,
    leases: fc.array(fc.record({ lease, generation: natural }), { maxLength: 4 }),
  }),
  of('checkpoint', {
    leases: fc.array(fc.record({ lease, generation: natural, remaining: natural }), { maxLength: 4 }),
  }),
  of('register', { lease, shard: natural }),
  of('open-session', { name: fc.string(), owner: fc.string({ unit: 'grapheme' }) }),
  of('expire-sessions', { sessions: nodes }),
  of('compact', { origin, user, revision: integer }),
  of('node', {
    node: natural,
    zone: fc.string(),
    labels,
    state: fc.constantFrom(...nodeStates),
    configuration: natural,
  }),
  of('assign', { shard: natural, nodes, configuration: natural }),
  of('wish', {
    wish: fc.constantFrom(...wishKinds),
    id: fc.integer({ min: -1 }),
    value: fc.option(natural),
    configuration: natural,
  }),
);

const codes = ['FLOTILLA_ENTRY_INVALID', 'FLOTILLA_PROPOSAL_VERSION', 'FLOTILLA_PROPOSAL_KIND'];

describe('entries of the order', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(entry, (one) => {
        expect(decodeOrderEntry(encodeOrderEntry(one))).toEqual(one);
      }),
      { numRuns: 200 },
    );
  });

  test('are refused when they end early or go on', () => {
    fc.assert(
      fc.property(entry, fc.nat(), (one, at) => {
        const whole = encodeOrderEntry(one);
        const invalid = expect.objectContaining({ code: codes[0] }) as Error;
        expect(() => decodeOrderEntry(whole.subarray(0, at % whole.length))).toThrow(invalid);
        expect(() => decodeOrderEntry(Uint8Array.of(...whole, 0))).toThrow(invalid);
      }),
      { numRuns: 200 },
    );
  });

  test('are other entries or refused when a byte is another one', () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, by) => {
        const damaged = encodeOrderEntry(one).slice();
        damaged[at % damaged.length] = (damaged[at % damaged.length] as number) ^ by;
        let decoded: OrderEntry;
        try {
          decoded = decodeOrderEntry(damaged);
        } catch (error) {
          expect(isFlotillaError(error) && codes.includes(error.code)).toBe(true);
          return;
        }
        expect(decodeOrderEntry(encodeOrderEntry(decoded))).toEqual(decoded);
      }),
      { numRuns: 300 },
    );
  });

  test('of a newer version or kind are refused before anything of them is looked at', () => {
    const refusal = (bytesOf: readonly number[], code: string): void =>
      expect(() => decodeOrderEntry(Uint8Array.from(bytesOf))).toThrow(
        expect.objectContaining({ code }) as Error,
      );
    refusal([2], 'FLOTILLA_PROPOSAL_VERSION');
    refusal([1, 99], 'FLOTILLA_PROPOSAL_KIND');
    refusal([1], 'FLOTILLA_ENTRY_INVALID');
    // Of the order group's own shard.
    refusal([1, 2, 9, 1], 'FLOTILLA_PROPOSAL_VERSION');
    refusal([1, 2, 1, 99], 'FLOTILLA_PROPOSAL_KIND');
  });

  test('keep the bytes that they are stored with', () => {
    // Of version 1, for ever.
    const stored: [OrderEntry, string][] = [
      [
        { kind: 'begin', nodes: [{ node: 3, zone: 'z', labels: [{ name: 'a', value: 'b' }] }] },
        '01010103017a0101610162',
      ],
      [{ kind: 'own', entry: { kind: 'members', membership: 6 } }, '0102' + '010606'],
      [
        { kind: 'cut', counts: [{ shard: 1, upTo: 300 }], decisions: [], logged: [{ shard: 1, index: 7 }] },
        '01030101ac0200010107',
      ],
      [
        { kind: 'range', change: { kind: 'merge', shard: 2, into: 1 }, range: 3, nodes: [] },
        '0104010201' + '0300',
      ],
      [{ kind: 'members', shard: 2, membership: 4, nodes: [1, 2] }, '01050204020102'],
      [{ kind: 'renew', leases: [7n] }, '0107010000000000000007'],
      [{ kind: 'expire', term: 5, leases: [{ lease: 7n, generation: 9 }] }, '01090501000000000000000709'],
      [
        { kind: 'checkpoint', leases: [{ lease: 7n, generation: 9, remaining: 2 }] },
        '010a0100000000000000070902',
      ],
      [{ kind: 'register', lease: 7n, shard: 1 }, '010b000000000000000701'],
      [{ kind: 'open-session', name: 's', owner: '' }, '010c017300'],
      [{ kind: 'expire-sessions', sessions: [4] }, '010d0104'],
      [{ kind: 'assign', shard: 1, nodes: [2], configuration: 8 }, '011001010208'],
    ];
    for (const [one, hex] of stored) {
      expect(Buffer.from(encodeOrderEntry(one)).toString('hex')).toBe(hex);
      expect(decodeOrderEntry(Buffer.from(hex, 'hex'))).toEqual(one);
    }
  });

  test('tell with two bytes whether they may have to wait for a neighbour', () => {
    fc.assert(
      fc.property(entry, (one) => {
        expect(mayChangeRange(encodeOrderEntry(one))).toBe(one.kind === 'range');
      }),
    );
  });
});
