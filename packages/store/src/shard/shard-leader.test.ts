import { PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { MemoryShardStore, SimulatedAccess } from '../../simulation/ordering/memory-shard-store.ts';
import { textToBytes } from '../encoding/text.ts';
import { OrderMachine } from '../order/order-machine.ts';
import type { RequestEntry } from './shard-entry.ts';
import { ShardLeader } from './shard-leader.ts';
import { ShardMachine } from './shard-machine.ts';

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

function machineOf(): ShardMachine {
  const parts = { store: new MemoryShardStore(), access: new SimulatedAccess(), order: null };
  return new ShardMachine({ ...parts, shard: 1, span, epoch: { membership: 1, range: 1 } });
}

function put(request: number): RequestEntry {
  const write = {
    kind: 'put',
    request: PutRequest.create({ key: textToBytes('n'), prevKv: true }),
  } as const;
  const origin = { session: 1, request, floor: 1 };
  return { kind: 'request', origin, user: null, range: 1, write, absent: [] };
}

test('an answer that names a write waits for that one where the order has forgotten its number', () => {
  const [machine, order, leader] = [machineOf(), orderOf(), new ShardLeader(1)];
  for (const request of [1, 2]) {
    for (const effect of machine.apply(put(request), request)) {
      if (effect.kind === 'outcome' && request === 2) leader.outcome(machine, effect.origin, effect.outcome);
    }
  }
  const cut = (upTo: number, logged: number, index: number): unknown =>
    order.apply(
      { kind: 'cut', counts: [{ shard: 1, upTo }], decisions: [], logged: [{ shard: 1, index: logged }] },
      { index, term: 1 },
    );
  cut(1, 0, 1);
  const facts = order.factsAfter(1, 0);
  // The shard's leader has logged what the first cut says, and this replica has not applied it.
  cut(2, 1, 2);
  expect(leader.ready(machine, order)).toEqual([]);
  for (const fact of facts) machine.apply({ kind: 'ordered', fact }, 3);
  expect(leader.ready(machine, order)).toMatchObject([
    { revision: 3, result: { response: { header: { revision: 3 }, prevKv: { modRevision: 2 } } } },
  ]);
});
