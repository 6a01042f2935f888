import { emptyConfiguration } from '../core/configuration.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFlotillaError } from '@flotilla/platform';
import type { Entry, Index, NodeId, PeerMessage, Ref, Term } from '../core/types.ts';
import { ByteWriter } from './bytes.ts';
import {
  decodeBatch,
  encodeHostMessage,
  encodeRaftMessage,
  refusalReasons,
  snapshotFailures,
} from './messages.ts';
import type { HostMessage, Leadership, LeaseBeat, SnapshotFailure } from './messages.ts';

const from = 3 as NodeId;
const to = 7 as NodeId;
const u53 = fc.maxSafeNat();
const u32 = fc.nat(0xffff_ffff);
const term = u53 as fc.Arbitrary<Term>;
const index = u53 as fc.Arbitrary<Index>;
const bytes = fc.uint8Array({ maxLength: 30 });
const nodeIds = fc.array(u32 as fc.Arbitrary<NodeId>, { maxLength: 4 });
const meta = fc.record({
  index,
  term,
  configuration: fc.record({
    voters: nodeIds,
    votersOutgoing: nodeIds,
    learners: nodeIds,
    learnersNext: nodeIds,
    autoLeave: fc.boolean(),
    removed: nodeIds,
  }),
});
const ends = { from: fc.constant(from), to: fc.constant(to), term };

const append = fc
  .record({
    ...ends,
    type: fc.constant('append' as const),
    session: u53,
    previousIndex: fc.nat(2 ** 40) as fc.Arbitrary<Index>,
    previousTerm: term,
    commit: index,
    topPriority: fc.nat(255),
    drafts: fc.array(
      fc.record({
        term,
        kind: fc.constantFrom<Entry['kind']>('command', 'no-op', 'membership'),
        payload: bytes,
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ drafts, ...rest }): PeerMessage => ({
    ...rest,
    entries: drafts.map((draft, i) => ({ ...draft, index: (rest.previousIndex + 1 + i) as Index })),
  }));

const verdict = { granted: fc.boolean(), commit: index, commitTerm: term };

const peerMessages: Record<Exclude<PeerMessage['type'], 'install-snapshot'>, fc.Arbitrary<PeerMessage>> = {
  append,
  'pre-vote': fc.record({
    ...ends,
    type: fc.constant('pre-vote'),
    lastIndex: index,
    lastTerm: term,
    forced: fc.boolean(),
  }),
  vote: fc.record({
    ...ends,
    type: fc.constant('vote'),
    lastIndex: index,
    lastTerm: term,
    forced: fc.boolean(),
  }),
  'pre-vote-response': fc.record({ ...ends, type: fc.constant('pre-vote-response'), ...verdict }),
  'vote-response': fc.record({ ...ends, type: fc.constant('vote-response'), ...verdict }),
  'append-response': fc.record({
    ...ends,
    type: fc.constant('append-response'),
    session: u53,
    index,
    rejected: fc.boolean(),
    hintIndex: index,
    hintTerm: term,
    commit: index,
    priority: fc.nat(255),
  }),
  heartbeat: fc.record({ ...ends, type: fc.constant('heartbeat'), commit: index, readSequence: u53 }),
  'heartbeat-response': fc.record({ ...ends, type: fc.constant('heartbeat-response'), readSequence: u53 }),
  propose: fc.record({
    ...ends,
    type: fc.constant('propose'),
    kind: fc.constantFrom('command', 'membership'),
    payloads: fc.array(bytes, { maxLength: 4 }),
  }),
  'read-index': fc.record({
    ...ends,
    type: fc.constant('read-index'),
    ref: u53 as fc.Arbitrary<Ref>,
    incarnation: u53,
  }),
  'read-index-response': fc.record({
    ...ends,
    type: fc.constant('read-index-response'),
    ref: u53 as fc.Arbitrary<Ref>,
    incarnation: u53,
    index,
  }),
  'transfer-leader': fc.record({
    ...ends,
    type: fc.constant('transfer-leader'),
    transferee: u32 as fc.Arbitrary<NodeId>,
  }),
  'timeout-now': fc.record({ ...ends, type: fc.constant('timeout-now') }),
};

const failure = fc.constantFrom(...snapshotFailures);

type OwnMessage = Exclude<HostMessage, { type: 'raft' }>;

const ownMessages: Record<OwnMessage['type'], fc.Arbitrary<OwnMessage>> = {
  heartbeat: fc.record({
    type: fc.constant('heartbeat'),
    leads: fc.option<readonly Leadership[]>(fc.array(fc.record({ group: u32, term }), { maxLength: 4 })),
    lease: fc.option<LeaseBeat>(
      fc.record({ sequence: u53, echo: u53, promiseMs: u53, except: fc.array(u32, { maxLength: 4 }) }),
    ),
  }),
  'propose-refused': fc.record({
    type: fc.constant('propose-refused'),
    group: u32,
    forward: u53,
    kind: fc.constantFrom('command', 'membership'),
    reason: fc.constantFrom(...refusalReasons),
    sequences: fc.array(u53, { maxLength: 4 }),
  }),
  'snapshot-request': fc.record({
    type: fc.constant('snapshot-request'),
    group: u32,
    minIndex: index,
    lags: fc.boolean(),
  }),
  'snapshot-begin': fc.record({
    type: fc.constant('snapshot-begin'),
    group: u32,
    transfer: u32,
    term,
    session: u53,
    resumes: fc.boolean(),
    meta,
  }),
  'snapshot-chunk': fc.record({
    type: fc.constant('snapshot-chunk'),
    transfer: u32,
    number: u32,
    checksum: u32,
    bytes,
  }),
  'snapshot-end': fc.record({
    type: fc.constant('snapshot-end'),
    transfer: u32,
    chunks: u32,
    sizeBytes: u53,
    checksum: u32,
  }),
  'snapshot-cancel': fc.record({ type: fc.constant('snapshot-cancel'), transfer: u32, failure }),
  'snapshot-progress': fc.record({ type: fc.constant('snapshot-progress'), transfer: u32, chunks: u32 }),
  'snapshot-resume': fc.record({
    type: fc.constant('snapshot-resume'),
    transfer: u32,
    chunks: u32,
    sizeBytes: u53,
  }),
  'snapshot-result': fc.record({
    type: fc.constant('snapshot-result'),
    transfer: u32,
    failure: fc.option<SnapshotFailure>(failure),
  }),
};

const anyMessage: fc.Arbitrary<HostMessage> = fc.oneof(
  ...Object.values(ownMessages),
  fc.record({
    type: fc.constant('raft' as const),
    group: u32,
    message: fc.oneof(...Object.values(peerMessages)),
  }),
);

function encode(messages: readonly HostMessage[]): Uint8Array {
  const writer = new ByteWriter(16);
  for (const message of messages) {
    if (message.type === 'raft') encodeRaftMessage(writer, message.group, message.message);
    else encodeHostMessage(writer, message);
  }
  return writer.take();
}

function decode(body: Uint8Array): readonly HostMessage[] {
  const messages: HostMessage[] = [];
  decodeBatch(body, from, to, (message) => messages.push(message));
  return messages;
}

describe('messages between hosts', () => {
  it.each(Object.keys(peerMessages) as (keyof typeof peerMessages)[])(
    '%s comes back as it was sent',
    (type) => {
      fc.assert(
        fc.property(u32, peerMessages[type], (group, message) => {
          const sent: HostMessage = { type: 'raft', group, message };
          expect(decode(encode([sent]))).toEqual([sent]);
        }),
        { numRuns: 30 },
      );
    },
  );

  it.each(Object.keys(ownMessages) as OwnMessage['type'][])(
    '%s of the host comes back as it was sent',
    (type) => {
      fc.assert(
        fc.property(ownMessages[type], (message) => {
          expect(decode(encode([message]))).toEqual([message]);
        }),
        { numRuns: 30 },
      );
    },
  );

  it('a batch is its messages one after the other', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 6 }), (messages) => {
        expect(decode(encode(messages))).toEqual(messages);
      }),
    );
  });

  it('a batch that ends too early is refused, at whichever byte', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const whole = encode([message]);
        for (let length = 1; length < whole.length; length += 1) {
          expect(() => decode(whole.slice(0, length))).toThrow(
            expect.objectContaining({ code: 'FLOTILLA_PEER_MALFORMED' }),
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  it('garbage is refused or understood, and never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (garbage) => {
        try {
          decode(garbage);
        } catch (error) {
          expect(isFlotillaError(error, 'FLOTILLA_PEER_MALFORMED')).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('nobody can announce a snapshot in words alone', () => {
    const message = {
      type: 'install-snapshot' as const,
      from,
      to,
      term: 1 as Term,
      session: 1,
      snapshot: {
        index: 5 as Index,
        term: 1 as Term,
        configuration: emptyConfiguration,
      },
    };
    expect(() => encodeRaftMessage(new ByteWriter(), 0, message)).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_ASSERTION' }),
    );
  });

  it('payloads are views of the batch, not copies', () => {
    const payload = Uint8Array.of(1, 2, 3);
    const body = encode([
      {
        type: 'raft',
        group: 0,
        message: { type: 'propose', from, to, term: 1 as Term, kind: 'command', payloads: [payload] },
      },
    ]);
    const [first] = decode(body);
    if (first?.type !== 'raft' || first.message.type !== 'propose') throw new Error('another message');
    expect(first.message.payloads[0]?.buffer).toBe(body.buffer);
  });
});
