import { expect, test } from 'vitest';
import { MemoryShardStore, SimulatedAccess } from '../../simulation/ordering/memory-shard-store.ts';
import { textToBytes } from '../encoding/text.ts';
import type { PrepareEntry } from '../shard/shard-entry.ts';
import type { OrderEntry } from './order-entry.ts';
import { encodeOrderEntry } from './order-entry-codec.ts';
import { OrderLeader } from './order-leader.ts';
import { OrderMachine } from './order-machine.ts';

const span = { from: textToBytes('m'), to: null };
const row = { range: 1, membership: 1, nodes: [1] };

function orderOf(): OrderMachine {
  const rows = [
    { ...row, shard: 0, span: { from: new Uint8Array(0), to: span.from } },
    { ...row, shard: 1, span },
  ];
  const nodes = [{ node: 1, zone: '', labels: [] }];
  return new OrderMachine({ store: new MemoryShardStore(), access: new SimulatedAccess(), nodes, rows });
}

function say(order: OrderMachine, entry: OrderEntry): void {
  order.apply(entry, { index: order.index + 1, term: 1 });
}

test('a lease that is granted again is not revoked by what ended the one before', () => {
  const order = orderOf();
  const leader = new OrderLeader(1, 1_000);
  let request = 0;
  const origin = (): { session: number; request: number; floor: number } => {
    request += 1;
    return { session: 1, request, floor: request };
  };
  const grant = (lease: bigint): void => {
    say(order, { kind: 'grant', origin: origin(), user: null, lease, ttl: 60 });
    say(order, { kind: 'register', lease, shard: 1 });
    say(order, { kind: 'revoke', origin: origin(), user: null, lease });
  };
  const end = ({ transaction, origin: of, participants, revokes }: PrepareEntry): void => {
    const shards = participants.map(({ shard }) => shard);
    const proposed = { transaction, origin: of, participants: shards, revokes, verdict: 'commit' } as const;
    const outcome = { choices: [true], effective: false, changes: [], error: null };
    say(order, { kind: 'cut', counts: [], decisions: [{ ...proposed, ...outcome }], logged: [] });
  };
  const prepared = (): readonly PrepareEntry[] => leader.revocations(order, 0).map(({ entry }) => entry);
  say(order, { kind: 'open-session', name: 's', owner: '' });
  grant(7n);
  const [first] = prepared() as [PrepareEntry];
  end(first);
  grant(8n);
  // With it what was decided of the first one is forgotten.
  end(prepared()[0] as PrepareEntry);
  grant(7n);
  const [again] = prepared() as [PrepareEntry];
  expect(order.decisionOf(first.transaction)).toBeNull();
  expect(again).toMatchObject({ revokes: 7n, origin: { request: order.index, floor: order.index } });
  expect(prepared()).toEqual([again]);
});

test('however many transactions are to be decided, a cut is no larger than the log takes, and leaves none out', () => {
  const order = orderOf();
  const leader = new OrderLeader(1, 1_000);
  say(order, { kind: 'open-session', name: 's', owner: '' });
  const participants = [
    { shard: 0, range: 1 },
    { shard: 1, range: 1 },
  ];
  const count = 3_000;
  for (let request = 1; request <= count; request += 1) {
    const origin = { session: 1, request, floor: 1 };
    const transaction = `1.${request}.1-2000000000-4000000000-${request}`;
    const vote = { transaction, origin, participants, revokes: null, tree: null, error: null, seq: 0 };
    leader.vote(order, { ...vote, shard: 1 }, 0);
  }
  const sizes: number[] = [];
  while (leader.isWaiting) {
    const cut = leader.cut(order, 0);
    if (cut === null) break;
    sizes.push(encodeOrderEntry(cut).length);
    say(order, cut);
  }
  expect(sizes.length).toBeGreaterThan(1);
  expect(Math.max(...sizes)).toBeLessThan(64 * 1024);
  const undecided = Array.from({ length: count }, (_, i) => i + 1).filter(
    (request) => order.decisionOf(`1.${request}.1-2000000000-4000000000-${request}`) === null,
  );
  expect(undecided).toEqual([]);
});
