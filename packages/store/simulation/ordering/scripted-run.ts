import { assert } from '@flotilla/platform';
import { Compare, CompareResult, CompareTarget, PutRequest, RangeRequest, TxnRequest } from '@flotilla/wire';
import { compareBytes } from '../../src/bytes.ts';
import { textToBytes } from '../../src/encoding/text.ts';
import type { LogPosition } from '../../src/mvcc/meta.ts';
import { FactChain, emptyFact } from '../../src/order/fact-chain.ts';
import { OrderLeader } from '../../src/order/order-leader.ts';
import { OrderMachine } from '../../src/order/order-machine.ts';
import { PartMap } from '../../src/order/order-parts.ts';
import { type KeySpan, spanOfKey } from '../../src/shard/key-span.ts';
import type { Fact, RequestEntry, ShardEffect, ShardEntry, Vote } from '../../src/shard/shard-entry.ts';
import { ShardLeader } from '../../src/shard/shard-leader.ts';
import { ShardMachine } from '../../src/shard/shard-machine.ts';
import { MemoryShardStore, SimulatedAccess } from './memory-shard-store.ts';

const everything = { from: new Uint8Array(0), to: null };
const k = textToBytes('k');
const lease = 7n;

/** Histories that a search meets rarely, step by step. Answers the name of what does not hold; null: all of them do. */
const scripts: Readonly<Record<string, () => boolean>> = {
  'a registration that comes again gives no lease back': () => {
    const machine = shard();
    const registered = fact(1, 0, { change: { kind: 'registered', lease } });
    say(machine, registered, fact(2, 1, {}), registered);
    const revoke = {
      kind: 'prepare',
      transaction: '0.2.1',
      origin: { session: 0, request: 2, floor: 2 },
    } as const;
    const participants = [{ shard: 1, range: 1 }];
    const rest = { user: null, participants, fragment: null, revokes: lease, absent: [] };
    machine.apply({ ...revoke, ...rest }, 10);
    const { transaction, origin } = revoke;
    const decision = { transaction, origin, participants: [1], revokes: lease, verdict: 'commit' } as const;
    const outcome = { choices: [true], effective: false, changes: [], error: null, revision: 1 };
    say(machine, fact(3, 2, { decisions: [{ ...decision, ...outcome }] }), registered);
    return !machine.hasLease(lease);
  },
  'that a lease is not registered is no error': () => {
    const effects = shard().apply(leased(1, []), 1);
    return effects.some((one) => one.kind === 'refused' && one.reason === 'lease-unregistered');
  },
  'a late copy of what was an error changes nothing': () => {
    const machine = shard();
    machine.apply(leased(1, [lease]), 1);
    say(machine, fact(1, 0, { change: { kind: 'registered', lease } }));
    machine.apply(leased(1, []), 3);
    return machine.seq === 0;
  },
  'what changed nothing is answered when all facts up to the frontier are there': () => {
    const machine = shard();
    const leader = new ShardLeader(1);
    const order = orderOf();
    for (const effect of machine.apply(reading(1), 1)) {
      if (effect.kind === 'outcome') leader.outcome(machine, effect.origin, effect.outcome);
    }
    machine.apply(writing(2), 2);
    order.apply(
      { kind: 'cut', counts: [{ shard: 1, upTo: 1 }], decisions: [], logged: [] },
      { index: 1, term: 1 },
    );
    leader.ask(machine)?.({ index: 1, revision: 2 });
    const early = leader.ready(machine, order);
    say(machine, ...order.factsAfter(1, 0));
    const [answer] = [...early, ...leader.ready(machine, order)];
    return answer?.revision === 1;
  },
  'a frontier does not answer for who came after it was asked for': () => {
    const machine = shard();
    const leader = new ShardLeader(1);
    const [early, late] = [1, 2].map((request) => {
      for (const effect of machine.apply(reading(request), request)) {
        if (effect.kind === 'outcome') leader.outcome(machine, effect.origin, effect.outcome);
      }
      return leader.ask(machine);
    });
    early?.({ index: 0, revision: 1 });
    const answered = leader.ready(machine, orderOf()).map(({ origin }) => origin.request);
    return late !== null && answered.join() === '1';
  },
  'a shard that is not in the map yet is not gone': () => {
    const order = orderOf();
    return !order.isGone(1) && !order.isGone(2);
  },
  'that a revision is in the future is answered where it still is': () => {
    const machine = shard();
    const leader = new ShardLeader(1);
    const order = orderOf();
    machine.apply(readingAt(1, 2), 1);
    const effects = machine.apply({ kind: 'frontier', after: 0, revision: 1, asked: 1 }, 2);
    for (const effect of effects) {
      if (effect.kind === 'outcome') leader.outcome(machine, effect.origin, effect.outcome);
    }
    // The very revision comes before its answer.
    leader.ask(machine)?.({ index: 0, revision: 2 });
    const [answer] = leader.ready(machine, order);
    return answer?.result.kind === 'error' && answer.revision === 1;
  },
  'a frontier that a request waits for is fetched by the next leader': () => {
    const machine = shard();
    machine.apply(readingAt(1, 2), 1);
    return new ShardLeader(1).ask(machine) !== null;
  },
  'a replica that has not heard of a split is not complete after it': () => {
    const chain = new FactChain(0);
    const child = { shard: 2, span: { from: k, to: null }, range: 1 };
    chain.change(1, { kind: 'split', span: { from: everything.from, to: k }, range: 2, child });
    return chain.lastAt(1) === 1;
  },
  'a compare with a number that is about to be given waits for it': () => {
    const machine = shard();
    machine.apply(writing(1), 1);
    const guard = Compare.create({
      key: k,
      target: CompareTarget.MOD,
      result: CompareResult.LESS,
      targetUnion: { case: 'modRevision', value: 5 },
    });
    const write = { kind: 'txn', request: TxnRequest.create({ compare: [guard] }) } as const;
    machine.apply({ ...entry(2), write, absent: [] }, 2);
    return machine.waiting === 1;
  },
  // Seed 15322 of the search.
  'what is left out by its own revision is not answered before that is known': () => {
    const put = PutRequest.create({ key: k });
    const range = RangeRequest.create({ key: k, minModRevision: 9 });
    const success = [
      { request: { case: 'requestPut', value: put } as const },
      { request: { case: 'requestRange', value: range } as const },
    ];
    const write = { kind: 'txn', request: TxnRequest.create({ success }) } as const;
    return !shard()
      .apply({ ...entry(1), write, absent: [] }, 1)
      .some(({ kind }) => kind === 'outcome');
  },
  'a transaction comes after the writes that it has seen': () => {
    const order = orderOf();
    const leader = new OrderLeader(1, 1_000);
    leader.vote(order, { ...voteOf(5, 2), seq: 3 }, 0);
    const cut = leader.cut(order, 0);
    return cut?.decisions[0]?.verdict === 'commit' && cut.counts[0]?.upTo === 3;
  },
  'a child knows what its parent was asked': () => {
    const child = childOf(splitShard());
    return child.memory.look({ session: 1, request: 1 }) !== 'new';
  },
  'a survivor knows what its neighbour was asked': () => {
    const { machine, child, absorbs } = merging();
    say(child, fact(4, 2, { base: 2, count: 1, revision: 3 }));
    machine.apply(absorbs, 101, child);
    return machine.memory.look({ session: 1, request: 2 }) !== 'new';
  },
  'a neighbour that has writes without a number is not complete': () => {
    const { machine, child, absorbs } = merging();
    const upTo = machine.needs(absorbs)?.upTo ?? 0;
    const before = child.isComplete(upTo);
    say(child, fact(4, 2, { base: 2, count: 1, revision: 3 }));
    return !before && child.isComplete(upTo);
  },
  'a replica answers for no keys but its own': () => {
    const { machine } = splitShard();
    const [own, other] = ['a', 'n'].map((key) => spanOfKey(textToBytes(key))) as [KeySpan, KeySpan];
    return machine.serves([own], machine.ordered) && !machine.serves([own, other], machine.ordered);
  },
  'what is left of a lease is known to who leads next, as of its last renewal': () => {
    const order = orderOf();
    const position = (index: number): LogPosition => ({ index, term: 1 });
    order.apply(
      { kind: 'grant', origin: { session: 5, request: 1, floor: 1 }, user: null, lease, ttl: 60 },
      position(1),
    );
    order.apply({ kind: 'checkpoint', leases: [{ lease, generation: 1, remaining: 20 }] }, position(2));
    const left = order.leases.get(lease)?.remaining;
    order.apply({ kind: 'renew', leases: [lease] }, position(3));
    // On its way since before the renewal.
    order.apply({ kind: 'checkpoint', leases: [{ lease, generation: 1, remaining: 10 }] }, position(4));
    return left === 20 && order.leases.get(lease)?.remaining === 60;
  },
  'a controller that has not seen what was done since changes nothing': () => {
    const order = orderOf();
    const { number } = order.configuration;
    const assign = (index: number, nodes: readonly number[], configuration: number): void => {
      order.apply({ kind: 'assign', shard: 1, nodes, configuration }, { index, term: 1 });
    };
    assign(1, [1, 2], number);
    assign(2, [2, 3], number);
    return order.configuration.assignment(1)?.nodes.join() === '1,2';
  },
  'what has changed is written down, and no more': () => {
    const order = orderOf();
    const written = new PartMap();
    order.flush(written.write, true);
    order.flush(written.write);
    const origin = { session: 5, request: 1, floor: 1 };
    order.apply({ kind: 'grant', origin, user: null, lease, ttl: 60 }, { index: 1, term: 1 });
    order.flush(written.write);
    order.apply({ kind: 'register', lease, shard: 1 }, { index: 2, term: 1 });
    let records = 0;
    order.flush((key, record) => {
      records += 1;
      written.write(key, record);
    });
    // The head, the lease, and the chain of the shard.
    const access = (encoded: Uint8Array): SimulatedAccess => SimulatedAccess.decode(encoded);
    const again = OrderMachine.decode(written.joined, { store: new MemoryShardStore(), access });
    return records === 3 && compareBytes(again.encode(), order.encode()) === 0;
  },
  'a vote of a finished request is answered with an abort': () => {
    const order = orderOf();
    const leader = new OrderLeader(1, 1_000);
    order.own.memory.raiseFloor(5, 3);
    leader.vote(order, voteOf(5, 2), 0);
    const cut = leader.cut(order, 0);
    return cut?.decisions[0]?.verdict === 'abort';
  },
};

/** For mutations. */
export function run(): {
  readonly violation: null | { readonly invariant: string; readonly message: string };
} {
  for (const [name, holds] of Object.entries(scripts)) {
    if (!holds()) return { violation: { invariant: 'scripted history', message: name } };
  }
  return { violation: null };
}

function shard(): ShardMachine {
  const epoch = { membership: 1, range: 1 };
  const parts = {
    shard: 1,
    span: everything,
    epoch,
    store: new MemoryShardStore(),
    access: new SimulatedAccess(),
  };
  const machine = new ShardMachine({ ...parts, order: null });
  machine.apply({ kind: 'frontier', after: 0, revision: 1, asked: 0 }, 0);
  return machine;
}

/** Shard 1, whose keys from `m` on have become shard 2's after a request. */
function splitShard(): { readonly machine: ShardMachine; readonly effects: readonly ShardEffect[] } {
  const machine = shard();
  const m = textToBytes('m');
  machine.apply(writing(1), 1);
  say(machine, fact(1, 0, { base: 1, count: 1, revision: 2 }));
  machine.apply({ kind: 'barrier', change: { kind: 'split', shard: 1, at: m }, range: 1 }, 2);
  const child = { shard: 2, span: { from: m, to: null }, range: 1 };
  const change = { kind: 'split', span: { from: everything.from, to: m }, range: 2, child } as const;
  return { machine, effects: say(machine, fact(2, 1, { revision: 2, change })) };
}

function childOf({ effects }: { readonly effects: readonly ShardEffect[] }): ShardMachine {
  const split = effects.find((effect) => effect.kind === 'split');
  assert(split?.kind === 'split', 'a split has a child');
  return split.child;
}

/** Shard 2, which has been written to since, is to be shard 1's again. */
function merging(): {
  readonly machine: ShardMachine;
  readonly child: ShardMachine;
  readonly absorbs: ShardEntry;
} {
  const { machine, effects } = splitShard();
  const child = childOf({ effects });
  const write = { kind: 'put', request: PutRequest.create({ key: textToBytes('n') }) } as const;
  child.apply({ ...entry(2), write, absent: [] }, 1);
  child.apply({ kind: 'barrier', change: { kind: 'merge', shard: 2, into: 1 }, range: 1 }, 2);
  const change = { kind: 'absorbs', drained: 2, upTo: 4, span: everything, range: 3 } as const;
  return { machine, child, absorbs: { kind: 'ordered', fact: fact(5, 2, { revision: 3, change }) } };
}

/** Shard 0 has nothing to do here; shard 1 has the keys. */
function orderOf(): OrderMachine {
  const [a, b] = [textToBytes('a'), everything.from];
  const row = { range: 1, membership: 1, nodes: [] };
  const rows = [
    { shard: 0, span: { from: b, to: a }, ...row },
    { shard: 1, span: { from: a, to: null }, ...row },
  ];
  const nodes = [1, 2, 3].map((node) => ({ node, zone: '', labels: [] }));
  return new OrderMachine({ store: new MemoryShardStore(), access: new SimulatedAccess(), nodes, rows });
}

function fact(index: number, previous: number, said: Partial<Fact>): Fact {
  return { ...emptyFact(index, previous), revision: 1, ...said };
}

function say(machine: ShardMachine, ...facts: readonly Fact[]): ShardEffect[] {
  return facts.flatMap((one) => machine.apply({ kind: 'ordered', fact: one }, 100));
}

function entry(request: number): Omit<RequestEntry, 'write' | 'absent'> {
  return { kind: 'request', origin: { session: 1, request, floor: 1 }, user: null, range: 1 };
}

function leased(request: number, absent: readonly bigint[]): RequestEntry {
  return { ...entry(request), write: { kind: 'put', request: PutRequest.create({ key: k, lease }) }, absent };
}

function writing(request: number): RequestEntry {
  return { ...entry(request), write: { kind: 'put', request: PutRequest.create({ key: k }) }, absent: [] };
}

function reading(request: number): RequestEntry {
  return { ...entry(request), write: { kind: 'txn', request: TxnRequest.create({}) }, absent: [] };
}

/** A transaction that reads what was at a revision. */
function readingAt(request: number, revision: number): RequestEntry {
  const range = RangeRequest.create({ key: k, revision });
  const success = [{ request: { case: 'requestRange', value: range } as const }];
  return {
    ...entry(request),
    write: { kind: 'txn', request: TxnRequest.create({ success }) },
    absent: [],
  };
}

function voteOf(session: number, request: number): Vote {
  const tree = { compares: [], success: [], failure: [] };
  const origin = { session, request, floor: request };
  const participants = [{ shard: 1, range: 1 }];
  return { transaction: 't', shard: 1, origin, participants, revokes: null, tree, error: null, seq: 0 };
}
