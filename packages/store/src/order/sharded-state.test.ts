import { emptyConfiguration, type Entry, type Index, type Term } from '@flotilla/raft';
import {
  AlarmAction,
  AlarmRequest,
  AlarmType,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserGrantRoleRequest,
  etcdErrors,
  LeaseGrantRequest,
  PermissionType,
  PutRequest,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { toBytes } from '../../test/model.ts';
import { ShardedHarness, threeNodes } from '../../test/sharded-harness.ts';
import { type AuthChange, encodeAuthChange } from '../auth/auth-requests.ts';
import { encodeLeaseCheckpoint, encodeLeaseRenew } from '../leases/lease-requests.ts';
import {
  encodeMember,
  encodeProposal,
  levelOf,
  noOrigin,
  type Origin,
  type ProposalKind,
} from '../proposal.ts';
import { encodeSessionExpiry } from '../sessions/session.ts';
import { sessionErrors } from '../sessions/session-errors.ts';
import type { ShardMachine } from '../shard/shard-machine.ts';
import type { WriteRequest } from '../shard/write-request.ts';
import { orderErrors } from './order-errors.ts';
import type { OrderEntry } from './order-entry.ts';
import { encodeOrderEntry } from './order-entry-codec.ts';
import { OrderLeader } from './order-leader.ts';

const put = (key: string, value: string, lease = 0n): WriteRequest => ({
  kind: 'put',
  request: PutRequest.create({ key: toBytes(key), value: toBytes(value), lease }),
});

const origin = (request: number, session = 1) => ({ session, request, floor: 1 });

function inSession(id: string, request: number, done = 0): Origin {
  return { user: null, session: { id, request, done, digest: new Uint8Array(0) } };
}

function putBytes(key: string): Uint8Array {
  return PutRequest.encode(PutRequest.create({ key: toBytes(key) }));
}

/** Lets time pass until the promise settles. */
async function run<T>(harness: ShardedHarness, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = (): void => {
    settled = true;
  };
  promise.then(done, done);
  for (let i = 0; i < 10_000 && !settled; i += 1) await harness.platform.advance(1);
  return promise;
}

describe('the entry that shards a cluster', () => {
  test('makes an order with one shard of every key, as of its place in the log', async () => {
    const harness = await ShardedHarness.open();
    harness.put('a', '1');
    harness.put('b', '2');
    harness.compact(2);
    expect(harness.database.order).toBeNull();
    expect(harness.begin()).toEqual([{ kind: 'begun', fresh: true }]);
    const { order } = harness;
    expect([order.index, order.frontier, order.compactRevision]).toEqual([4, 3, 2]);
    expect(order.map.rows).toEqual([
      { shard: 0, span: { from: new Uint8Array(0), to: null }, range: 1, membership: 1, nodes: [1, 2, 3] },
    ]);
    expect(order.configuration.nodes.map(({ node, state }) => [node, state])).toEqual([
      [1, 'joined'],
      [2, 'joined'],
      [3, 'joined'],
    ]);
    expect(harness.list('a', 'z')).toEqual(['a=1', 'b=2']);
  });

  test('changes nothing when it comes again', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const before = harness.order.configuration.number;
    expect(harness.begin([{ node: 9, zone: '', labels: [] }])).toEqual([{ kind: 'begun', fresh: false }]);
    expect(harness.order.configuration.number).toBe(before);
    expect(harness.order.configuration.node(9)).toBeNull();
  });

  test('hands leases over with their generations, what is left of their time, and their keys', async () => {
    const harness = await ShardedHarness.open();
    for (const id of [7n, -8n]) harness.propose('lease-grant', LeaseGrantRequest.encode({ id, ttl: 90 }));
    harness.put('a', '1', { lease: 7n });
    harness.propose('lease-checkpoint', encodeLeaseCheckpoint([{ id: 7n, generation: 1, remaining: 30 }]));
    const before = [...harness.database.leases.all()];
    harness.begin();
    const byId = (a: { id: bigint }, b: { id: bigint }): number => (a.id < b.id ? -1 : 1);
    expect([...harness.database.leases.all()].sort(byId)).toEqual(before.sort(byId));
    expect(harness.database.leases.get(7n)).toEqual({ id: 7n, ttl: 90, generation: 1, remaining: 30 });
    expect(harness.database.leases.keysOf(7n)).toEqual([toBytes('a')]);
    const session = harness.openSession('s');
    expect(harness.write(put('b', '2', 7n), 1, { session }).kind).toBe('put');
    const revoked = harness.answer({ kind: 'revoke', origin: origin(2, session), user: null, lease: 7n });
    expect(revoked).toMatchObject({ kind: 'lease-revoke', response: { header: { revision: 4 } } });
    expect(harness.list('a', 'z')).toEqual([]);
    expect(harness.database.leases.has(7n)).toBe(false);
  });

  test('hands sessions over with their floors, and what their requests were answered', async () => {
    const harness = await ShardedHarness.open();
    harness.propose('put', putBytes('a'), inSession('s', 1));
    harness.propose('put', putBytes('b'), inSession('s', 2, 1));
    harness.propose('put', putBytes('c'), inSession('t', 1));
    harness.begin();
    const session = harness.order.sessionOf('s') as number;
    expect(harness.order.sessionOf('t')).toBe(session + 1);
    // What its client was answered it is answered again, and nothing is written.
    const again = harness.write(put('z', '9'), 2, { session });
    expect(again).toMatchObject({ kind: 'put', response: { header: { revision: 3 } } });
    expect(harness.list('z')).toEqual([]);
    const finished = harness.say({
      kind: 'own',
      entry: {
        kind: 'request',
        origin: origin(1, session),
        user: null,
        range: 1,
        write: put('z', '9'),
        absent: [],
      },
    });
    expect(finished).toEqual([
      { kind: 'shard', effect: { kind: 'refused', origin: origin(1, session), reason: 'finished' } },
    ]);
  });

  test('keeps names of sessions that were forgotten from opening one', async () => {
    const harness = await ShardedHarness.open();
    harness.propose('put', putBytes('a'), inSession('s', 1));
    harness.propose('session-expire', encodeSessionExpiry([...harness.database.sessionUses()]));
    harness.begin();
    const opened = harness.say({ kind: 'open-session', name: 's', owner: '' });
    expect(opened).toEqual([{ kind: 'session-refused', name: 's' }]);
    const number = harness.openSession('u');
    harness.say({ kind: 'expire-sessions', sessions: [number] });
    expect(harness.say({ kind: 'open-session', name: 'u', owner: '' })).toEqual([
      { kind: 'session-refused', name: 'u' },
    ]);
  });
});

describe('a sharded cluster', () => {
  test('refuses what was proposed before its member knew, with a marker and without effect', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const proposals: [ProposalKind, Uint8Array][] = [
      ['put', putBytes('a')],
      ['delete-range', putBytes('a')],
      ['txn', new Uint8Array(0)],
      ['compact', new Uint8Array(0)],
      ['lease-grant', LeaseGrantRequest.encode({ id: 1n, ttl: 5 })],
      ['lease-revoke', new Uint8Array(0)],
      ['lease-renew', encodeLeaseRenew([])],
      ['lease-checkpoint', encodeLeaseCheckpoint([])],
      ['lease-expire', new Uint8Array(0)],
      ['session-expire', encodeSessionExpiry([])],
    ];
    for (const [kind, request] of proposals) {
      expect([kind, harness.attempt(kind, request)]).toEqual([
        kind,
        { kind: 'error', error: orderErrors.sharded },
      ]);
    }
    expect([harness.database.revision, harness.order.frontier]).toEqual([1, 1]);
    expect(harness.order.index).toBe(harness.database.applied.index);
  });

  test('has no order before it has begun', async () => {
    const harness = await ShardedHarness.open();
    expect(harness.refusal(() => harness.say({ kind: 'renew', leases: [] }))).toBe(
      orderErrors.notSharded.message,
    );
  });

  test('has its entries at the third level of proposals', async () => {
    expect(levelOf('order', noOrigin)).toBe(3);
    const payload = encodeProposal({ kind: 'order', requestId: 1, request: new Uint8Array(0) });
    expect(payload[0]).toBe(3);
    expect(levelOf('put', noOrigin)).toBe(1);
  });

  test('is the same after a crash, of which only the last commits are left', async () => {
    const harness = await ShardedHarness.open();
    harness.propose('lease-grant', LeaseGrantRequest.encode({ id: 5n, ttl: 60 }));
    harness.begin();
    const session = harness.openSession('s');
    harness.write(put('a', '1', 5n), 1, { session });
    await harness.rest();
    const entries: OrderEntry[] = [
      { kind: 'checkpoint', leases: [{ lease: 5n, generation: 1, remaining: 20 }] },
      {
        kind: 'node',
        node: 4,
        zone: 'z',
        labels: [{ name: 'disk', value: 'ssd' }],
        state: 'joined',
        configuration: 9,
      },
      { kind: 'grant', origin: origin(2, session), user: null, lease: 6n, ttl: 10 },
      { kind: 'renew', leases: [6n, 5n] },
      { kind: 'compact', origin: origin(3, session), user: null, revision: 2 },
      { kind: 'expire', term: 1, leases: [{ lease: 6n, generation: 8 }] },
    ];
    for (const entry of entries) harness.say(entry);
    harness.write(put('b', '2'), 4, { session });
    await harness.rest();
    const before = harness.order.encode();
    const hash = harness.database.hash();
    await harness.restart();
    expect(harness.database.order).not.toBeNull();
    expect(harness.order.encode()).toEqual(before);
    expect(harness.database.hash()).toEqual(hash);
    expect(harness.database.leases.get(5n)).toMatchObject({ generation: 8, remaining: 60 });
    expect(harness.database.leases.has(6n)).toBe(false);
    expect(harness.write(put('c', '3'), 4, { session })).toMatchObject({
      response: { header: { revision: 3 } },
    });
    expect(harness.write(put('c', '3'), 5, { session })).toMatchObject({
      response: { header: { revision: 4 } },
    });
  });

  test('replays what the storage has not seen, from the entry on that sharded it', async () => {
    const harness = await ShardedHarness.open();
    harness.put('a', '1');
    await harness.rest();
    const log: OrderEntry[] = [
      { kind: 'begin', nodes: threeNodes },
      { kind: 'open-session', name: 's', owner: '' },
      {
        kind: 'own',
        entry: { kind: 'request', origin: origin(1), user: null, range: 1, write: put('a', '2'), absent: [] },
      },
    ];
    for (const entry of log) harness.say(entry);
    const before = harness.order.encode();
    await harness.restart();
    expect([harness.database.order, harness.database.applied.index]).toEqual([null, 1]);
    for (const entry of log) harness.say(entry);
    expect(harness.order.encode()).toEqual(before);
  });

  test('is given whole to a member by a snapshot', async () => {
    const [giver, taker] = [await ShardedHarness.open(), await ShardedHarness.open()];
    giver.propose('lease-grant', LeaseGrantRequest.encode({ id: 5n, ttl: 60 }));
    giver.begin();
    const session = giver.openSession('s');
    giver.write(put('a', '1', 5n), 1, { session });
    const source = giver.database.snapshot();
    const chunks: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of source.chunks()) chunks.push(chunk);
    };
    await run(giver, read());
    let restored = 0;
    taker.database.keepOrder({
      applied: () => undefined,
      mapChanged: () => undefined,
      drained: () => null,
      superseded: () => undefined,
      restored: () => (restored += 1),
    });
    const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };
    const sink = await run(taker, taker.database.install(meta));
    for (const chunk of chunks) await run(taker, sink.write(chunk));
    await run(taker, sink.finish());
    expect(restored).toBe(1);
    expect(taker.order.encode()).toEqual(giver.order.encode());
    expect(taker.database.hash()).toEqual(giver.database.hash());
    giver.write(put('b', '2'), 2, { session });
    taker.write(put('b', '2'), 2, { session });
    expect(taker.order.encode()).toEqual(giver.order.encode());
  });

  test('takes over a neighbour when that is complete on this node, and holds the entry until then', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const session = harness.openSession('s');
    let complete = false;
    const child = splitAt(harness, 'm');
    harness.database.keepOrder({
      applied: () => undefined,
      mapChanged: () => undefined,
      drained: (shard, upTo) => (shard === 1 && complete && child.isComplete(upTo) ? child : null),
      superseded: () => undefined,
      restored: () => undefined,
    });
    const asked = { origin: origin(1, session), user: null, range: 1, absent: [] };
    child.apply({ kind: 'request', ...asked, write: put('z', '1') }, 1);
    harness.say({ kind: 'cut', counts: [{ shard: 1, upTo: 1 }], decisions: [], logged: [] });
    const merging = { kind: 'merge', shard: 1, into: 0 } as const;
    child.apply({ kind: 'barrier', change: merging, range: 1 }, 2);
    const request = encodeOrderEntry({ kind: 'range', change: merging, range: 1, nodes: [] });
    const next = (after = 1): Entry => ({
      index: (harness.database.applied.index + after) as Index,
      term: 1 as Term,
      kind: 'command',
      payload: encodeProposal({ kind: 'order', requestId: 1, request }),
    });
    expect(harness.database.holds(next())).toBe(true);
    for (const fact of harness.order.factsAfter(1, child.ordered)) child.apply({ kind: 'ordered', fact }, 3);
    expect(harness.database.holds(next())).toBe(true);
    complete = true;
    expect([harness.database.holds(next()), harness.database.holds(next(2))]).toEqual([false, true]);
    expect(harness.list('a', '~')).toEqual([]);
    harness.database.apply([next()]);
    expect(harness.order.map.rows.map(({ shard }) => shard)).toEqual([0]);
    expect(harness.list('a', '~')).toEqual(['z=1']);
    // Late copies mean nothing any more, and wait for nobody.
    complete = false;
    expect(harness.database.holds(next())).toBe(false);
    const { range } = harness.order.map.rows[0] ?? { range: 0 };
    expect(range).toBe(3);
    expect(harness.write(put('z', '2'), 2, { session })).toMatchObject({
      response: { header: { revision: 3 } },
    });
  });

  test('refuses a merge into a shard that is elsewhere by then, and lifts the barrier', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const child = splitAt(harness, 'm');
    const merging = { kind: 'merge', shard: 1, into: 0 } as const;
    child.apply({ kind: 'barrier', change: merging, range: 1 }, 1);
    harness.say({ kind: 'range', change: merging, range: 1, nodes: [7] });
    expect(harness.order.map.rows.map(({ shard }) => shard)).toEqual([0, 1]);
    for (const fact of harness.order.factsAfter(1, child.ordered)) child.apply({ kind: 'ordered', fact }, 2);
    expect([child.life, child.barrier, child.epoch.range]).toEqual(['serving', null, 2]);
  });

  test('forgets a shard that has ended although nothing is written any more', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const child = splitAt(harness, 'm');
    const merging = { kind: 'merge', shard: 1, into: 0 } as const;
    child.apply({ kind: 'barrier', change: merging, range: 1 }, 1);
    for (const fact of harness.order.factsAfter(1, child.ordered)) child.apply({ kind: 'ordered', fact }, 2);
    harness.database.keepOrder({
      applied: () => undefined,
      mapChanged: () => undefined,
      drained: () => child,
      superseded: () => undefined,
      restored: () => undefined,
    });
    harness.say({ kind: 'range', change: merging, range: 1, nodes: [] });
    const { order } = harness;
    expect(order.lastFact(1, order.index)).not.toBeNull();
    const leader = new OrderLeader(1, 1_000);
    const cut = leader.cut(order, 0);
    expect(cut).toMatchObject({ counts: [], decisions: [] });
    if (cut !== null) harness.say(cut);
    expect(order.lastFact(1, order.index)).toBeNull();
    expect([leader.mayForget(order), leader.cut(order, 0)]).toEqual([false, null]);
  });

  test('tells who keeps the order of every entry in its turn, and of every other map', async () => {
    const harness = await ShardedHarness.open();
    const told: string[] = [];
    harness.database.keepOrder({
      applied: ({ order, position, entry, effects }) => {
        expect(order.index).toBe(position.index);
        told.push(
          `${position.index} ${entry?.kind ?? 'other'}: ${effects.map(({ kind }) => kind).join(' ')}`,
        );
      },
      mapChanged: (map) => told.push(`configuration ${map.configuration}`),
      drained: () => null,
      superseded: () => undefined,
      restored: () => undefined,
    });
    harness.put('a', '1');
    harness.begin();
    harness.say({ kind: 'node', node: 2, zone: '', labels: [], state: 'draining', configuration: 1 });
    harness.propose('member', encodeMember({ nodeId: 1, record: new Uint8Array(1) }));
    harness.pass();
    expect(told).toEqual([
      'configuration 1',
      '2 begin: begun',
      'configuration 2',
      '3 node: configured',
      '4 other: ',
      '5 other: ',
    ]);
  });

  test('goes on telling who keeps the time of leases', async () => {
    const harness = await ShardedHarness.open();
    const told: string[] = [];
    harness.database.keepLeases({
      renewed: ({ id, remaining }) => told.push(`renewed ${id} for ${remaining}`),
      checkpointed: ({ id, remaining }) => told.push(`${remaining} left of ${id}`),
      removed: (id) => told.push(`removed ${id}`),
      restored: () => undefined,
    });
    harness.begin();
    const session = harness.openSession('s');
    harness.answer({ kind: 'grant', origin: origin(1, session), user: null, lease: 3n, ttl: 40 });
    harness.say({ kind: 'checkpoint', leases: [{ lease: 3n, generation: 3, remaining: 10 }] });
    // Of another generation: it says nothing.
    harness.say({ kind: 'checkpoint', leases: [{ lease: 3n, generation: 2, remaining: 1 }] });
    harness.say({ kind: 'renew', leases: [3n, 4n] });
    harness.say({ kind: 'expire', term: 1, leases: [{ lease: 3n, generation: 3 }] });
    harness.say({ kind: 'expire', term: 1, leases: [{ lease: 3n, generation: 6 }] });
    expect(told).toEqual(['renewed 3 for 40', '10 left of 3', 'renewed 3 for 40', 'removed 3']);
  });
});

describe('requests that an order does not take care of', () => {
  test('are executed once in a session, which is the order’s by now', async () => {
    const harness = await ShardedHarness.open();
    harness.propose('put', putBytes('a'), inSession('s', 1));
    harness.begin();
    const add = change('UserAdd', AuthUserAddRequest.create({ name: 'u', hashedPassword: 'x' }));
    expect(harness.attempt('auth', add, inSession('s', 2)).kind).toBe('auth');
    expect(harness.attempt('auth', add, inSession('s', 2)).kind).toBe('auth');
    expect(harness.database.settles({ id: 's', request: 2, done: 0, digest: new Uint8Array(0) })).toBe(true);
    expect(harness.attempt('auth', add, inSession('s', 3))).toEqual({
      kind: 'error',
      error: etcdErrors.userAlreadyExists,
    });
    expect(harness.attempt('auth', add, inSession('never opened', 2))).toEqual({
      kind: 'error',
      error: sessionErrors.expired,
    });
    expect(harness.attempt('auth', add, inSession('s', 1, 0)).kind).toBe('put');
    expect(harness.attempt('auth', add, inSession('s', 4, 3)).kind).toBe('error');
    expect(harness.attempt('auth', add, inSession('s', 2))).toEqual({
      kind: 'error',
      error: sessionErrors.tooOld,
    });
  });

  test('tell every shard of users, once for each change, and it refuses what they may not do', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const session = harness.openSession('s');
    splitAt(harness, 'm');
    const facts = (): number =>
      harness.order.factsAfter(1, 0).filter((fact) => fact.change?.kind === 'auth').length;
    shardedUsers(harness);
    const said = facts();
    expect(said).toBe(8);
    const { revision } = harness.database.auth;
    const write = (key: string, request: number, name: string, authRevision = revision) =>
      harness.write(put(key, 'x'), request, { session, user: { name, authRevision } });
    expect(write('a', 1, 'alice').kind).toBe('put');
    expect(write('b', 2, 'alice')).toEqual({ kind: 'error', error: etcdErrors.permissionDenied });
    expect(write('b', 3, 'root').kind).toBe('put');
    const old = harness.say({
      kind: 'own',
      entry: {
        kind: 'request',
        origin: origin(4, session),
        user: { name: 'root', authRevision: revision - 1 },
        range: 2,
        write: put('a', 'y'),
        absent: [],
      },
    });
    expect(old).toEqual([
      { kind: 'shard', effect: { kind: 'refused', origin: origin(4, session), reason: 'auth-revision' } },
    ]);
    // Identified again it is executed under the same number.
    expect(write('a', 4, 'root').kind).toBe('put');
    const compact = { kind: 'compact', origin: origin(5, session), revision: 2 } as const;
    expect(harness.answer({ ...compact, user: { name: 'alice', authRevision: revision } })).toEqual({
      kind: 'error',
      error: etcdErrors.permissionDenied,
    });
    // Nothing is new in it.
    harness.attempt('auth', change('AuthEnable', AuthEnableRequest.create({})), rootOrigin(revision));
    expect(facts()).toBe(said);
  });

  test('tell shards of alarms, which refuse what adds data', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    const session = harness.openSession('s');
    harness.write(put('a', '1'), 1, { session });
    const alarm = (action: AlarmAction, kind: AlarmType): Uint8Array =>
      AlarmRequest.encode({ action, alarm: kind, memberId: 1n });
    harness.propose('alarm', alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE));
    expect(harness.write(put('b', '2'), 2, { session })).toEqual({
      kind: 'error',
      error: etcdErrors.noSpace,
    });
    const grant = { kind: 'grant', user: null, lease: 4n, ttl: 9 } as const;
    expect(harness.answer({ ...grant, origin: origin(3, session) })).toEqual({
      kind: 'error',
      error: etcdErrors.noSpace,
    });
    harness.propose('alarm', alarm(AlarmAction.DEACTIVATE, AlarmType.NOSPACE));
    expect(harness.answer({ ...grant, origin: origin(4, session) }).kind).toBe('lease-grant');
    harness.propose('alarm', alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT));
    expect(harness.write(put('b', '2'), 5, { session })).toEqual({
      kind: 'error',
      error: etcdErrors.corrupt,
    });
    const { generation } = harness.order.leases.get(4n) ?? { generation: 0 };
    harness.say({ kind: 'expire', term: 1, leases: [{ lease: 4n, generation }] });
    expect(harness.order.leases.get(4n)).not.toBeNull();
  });

  test('are answered at the revision of the whole', async () => {
    const harness = await ShardedHarness.open();
    harness.begin();
    splitAt(harness, 'm');
    harness.say({ kind: 'cut', counts: [{ shard: 1, upTo: 5 }], decisions: [], logged: [] });
    const add = change('UserAdd', AuthUserAddRequest.create({ name: 'u', hashedPassword: 'x' }));
    expect(harness.attempt('auth', add)).toMatchObject({ response: { header: { revision: 6 } } });
  });
});

function change<Kind extends AuthChange['kind']>(
  kind: Kind,
  request: Extract<AuthChange, { readonly kind: Kind }>['request'],
): Uint8Array {
  return encodeAuthChange({ kind, request } as AuthChange);
}

function rootOrigin(authRevision: number): Origin {
  return { user: { name: 'root', authRevision }, session: null };
}

/** Auth is on; alice may write `a` alone. Eight changes. */
function shardedUsers(harness: ShardedHarness): void {
  const changes = [
    change('UserAdd', AuthUserAddRequest.create({ name: 'root', hashedPassword: 'x' })),
    change('UserGrantRole', AuthUserGrantRoleRequest.create({ user: 'root', role: 'root' })),
    change('UserAdd', AuthUserAddRequest.create({ name: 'alice', hashedPassword: 'x' })),
    change('RoleAdd', AuthRoleAddRequest.create({ name: 'writer' })),
    change(
      'RoleGrantPermission',
      AuthRoleGrantPermissionRequest.create({
        name: 'writer',
        perm: { permType: PermissionType.WRITE, key: toBytes('a'), rangeEnd: new Uint8Array(0) },
      }),
    ),
    change('UserGrantRole', AuthUserGrantRoleRequest.create({ user: 'alice', role: 'writer' })),
    change('UserGrantRole', AuthUserGrantRoleRequest.create({ user: 'alice', role: 'writer' })),
    change('AuthEnable', AuthEnableRequest.create({})),
    change('UserAdd', AuthUserAddRequest.create({ name: 'bob', hashedPassword: 'x' })),
  ];
  for (const request of changes) {
    const { enabled, revision } = harness.database.auth;
    const result = harness.attempt('auth', request, enabled ? rootOrigin(revision) : noOrigin);
    expect(result.kind).toBe('auth');
  }
}

/** Shard 0 ends there, and shard 1 begins. */
function splitAt(harness: ShardedHarness, at: string): ShardMachine {
  const splitting = { kind: 'split', shard: 0, at: toBytes(at) } as const;
  harness.say({ kind: 'own', entry: { kind: 'barrier', change: splitting, range: 1 } });
  const effects = harness.say({ kind: 'range', change: splitting, range: 1, nodes: [1, 2, 3] });
  expect(harness.order.map.rows.map(({ shard }) => shard)).toEqual([0, 1]);
  for (const effect of effects) {
    if (effect.kind === 'shard' && effect.effect.kind === 'split') return effect.effect.child;
  }
  throw new Error('a split has a child');
}
