import { expect, test } from 'vitest';
import { MemoryShardStore, SimulatedAccess } from '../../simulation/ordering/memory-shard-store.ts';
import { textToBytes } from '../encoding/text.ts';
import type { PrepareEntry } from '../shard/shard-entry.ts';
import type { OrderEntry } from './order-entry.ts';
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

test('a lease that is granted again is not revoked by what ended the one before', () => {
  const order = orderOf();
  const leader = new OrderLeader(1, 1_000);
  let request = 0;
  const say = (entry: OrderEntry): void => void order.apply(entry, { index: order.index + 1, term: 1 });
  const origin = (): { session: number; request: number; floor: number } => {
    request += 1;
    return { session: 1, request, floor: request };
  };
  const grant = (lease: bigint): void => {
    say({ kind: 'grant', origin: origin(), user: null, lease, ttl: 60 });
    say({ kind: 'register', lease, shard: 1 });
    say({ kind: 'revoke', origin: origin(), user: null, lease });
  };
  const end = ({ transaction, origin: of, participants, revokes }: PrepareEntry): void => {
    const shards = participants.map(({ shard }) => shard);
    const proposed = { transaction, origin: of, participants: shards, revokes, verdict: 'commit' } as const;
    const outcome = { choices: [true], effective: false, changes: [], error: null };
    say({ kind: 'cut', counts: [], decisions: [{ ...proposed, ...outcome }], logged: [] });
  };
  const prepared = (): readonly PrepareEntry[] => leader.revocations(order, 0).map(({ entry }) => entry);
  say({ kind: 'open-session', name: 's', owner: '' });
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
