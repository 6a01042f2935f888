import { PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { MemoryShardStore, SimulatedAccess } from '../../simulation/ordering/memory-shard-store.ts';
import { compareBytes } from '../bytes.ts';
import { textToBytes } from '../encoding/text.ts';
import { emptyFact } from '../order/fact-chain.ts';
import type { RequestEntry, ShardEntry } from './shard-entry.ts';
import { ShardMachine } from './shard-machine.ts';

const span = { from: textToBytes('a'), to: null };

function machineOf(): ShardMachine {
  return new ShardMachine({
    shard: 1,
    span,
    epoch: { membership: 1, range: 1 },
    store: new MemoryShardStore(),
    access: new SimulatedAccess(),
    order: null,
  });
}

/** As it is after a crash: of its records, in the order of their keys. The versions of keys have another home. */
function restarted(machine: ShardMachine): ShardMachine {
  const records: (readonly [Uint8Array, Uint8Array])[] = [];
  machine.flush((key, record) => {
    if (record !== null) records.push([key, record]);
  }, true);
  records.sort(([a], [b]) => compareBytes(a, b));
  return ShardMachine.open(records, new MemoryShardStore(), (encoded) => SimulatedAccess.decode(encoded));
}

function request(session: number, number: number, key: string, changes = true): RequestEntry {
  const put = PutRequest.create({ key: textToBytes(key), prevKv: true, ignoreValue: !changes });
  return {
    kind: 'request',
    origin: { session, request: number, floor: 1 },
    user: null,
    range: 1,
    write: { kind: 'put', request: put },
    absent: [],
  };
}

/** The next write gets this revision. */
function numbering(index: number, revision: number): ShardEntry {
  const fact = { ...emptyFact(index, index - 1), base: revision - 1, count: 1, revision };
  return { kind: 'ordered', fact };
}

test('after a restart an answer still names writes that were numbered before others were asked for', () => {
  let machine = machineOf();
  let position = 0;
  const say = (...entries: ShardEntry[]): void => {
    for (const entry of entries) machine.apply(entry, (position += 1));
  };
  say(request(2, 1, 'k'), request(2, 2, 'l'));
  // Replaces what the first of them has put.
  say(request(9, 1, 'k'));
  say(numbering(1, 5));
  // Changes nothing, and has seen as much as that one.
  say(request(3, 1, 'none', false));
  machine = restarted(machine);
  say(numbering(2, 8), numbering(3, 11));
  const outcome = machine.memory.outcomeOf({ session: 9, request: 1 });
  expect(outcome).toMatchObject({
    kind: 'written',
    revision: 11,
    result: { kind: 'put', response: { header: { revision: 11 }, prevKv: { modRevision: 5 } } },
  });
});
