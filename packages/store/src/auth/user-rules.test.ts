import { seededRandom } from '@flotilla/platform';
import {
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  Compare,
  DeleteRangeRequest,
  PermissionType,
  PutRequest,
  RangeRequest,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';
import type { ProposalKind } from '../proposal.ts';
import { fragmentOf } from '../shard/fragment.ts';
import { asTxn, type WriteRequest } from '../shard/write-request.ts';
import { type AuthChange, encodeAuthChange } from './auth-requests.ts';
import { rulesToldBytes } from './rules-told.ts';
import { UserRules } from './user-rules.ts';

const { READ, WRITE, READWRITE } = PermissionType;
const noEnd = new Uint8Array(0);

/** Of a change, before the users in it. */
const headerBytes = 16;

/** A database with users, and what a shard has heard of them change by change. */
class Told {
  readonly harness: Harness;
  readonly heard = new UserRules();

  private constructor(harness: Harness) {
    this.harness = harness;
  }

  static async open(): Promise<Told> {
    return new Told(await Harness.open());
  }

  change(change: AuthChange): void {
    const { auth } = this.harness.database;
    const user = auth.enabled ? { name: 'root', authRevision: auth.revision } : null;
    const request = encodeAuthChange(change);
    const toldBytes = rulesToldBytes(auth, request);
    this.harness.propose('auth', request, { user, session: null });
    const news = this.heard.changeTo(UserRules.of(this.harness.database.auth, noAlarms));
    if (news === null) return;
    if (toldBytes > 0) expect(news.length).toBeLessThanOrEqual(toldBytes + headerBytes);
    this.heard.apply(news);
  }

  addUser(name: string): void {
    this.change({ kind: 'UserAdd', request: AuthUserAddRequest.create({ name, hashedPassword: 'x' }) });
  }

  grantRole(user: string, role: string): void {
    this.change({ kind: 'UserGrantRole', request: AuthUserGrantRoleRequest.create({ user, role }) });
  }

  role(name: string, ...permissions: readonly (readonly [PermissionType, string, string])[]): void {
    this.change({ kind: 'RoleAdd', request: AuthRoleAddRequest.create({ name }) });
    for (const [permType, key, end] of permissions) {
      const perm = { permType, key: toBytes(key), rangeEnd: toBytes(end) };
      this.change({
        kind: 'RoleGrantPermission',
        request: AuthRoleGrantPermissionRequest.create({ name, perm }),
      });
    }
  }

  /** What the whole database, and what the shard, answers to a write; '' where it is allowed. */
  both(
    name: string | null,
    write: WriteRequest,
    authRevision = this.harness.database.auth.revision,
  ): string[] {
    const user = name === null ? null : { name, authRevision };
    const { database } = this.harness;
    const bytes = bytesOf(write);
    const proposal = {
      kind: write.kind as ProposalKind,
      requestId: 1,
      request: bytes,
      origin: { user, session: null },
    };
    return [
      refusal(() => database.auth.check(proposal)),
      refusal(() => this.heard.check(user, write, (lease) => database.leases.keysOf(lease))),
    ];
  }
}

const noAlarms = { has: () => false } as unknown as Parameters<typeof UserRules.of>[1];

function refusal(check: () => void): string {
  try {
    check();
  } catch (error) {
    if (error instanceof RpcError) return error.message;
    throw error;
  }
  return '';
}

function bytesOf(write: WriteRequest): Uint8Array {
  if (write.kind === 'put') return PutRequest.encode(write.request);
  return write.kind === 'delete-range'
    ? DeleteRangeRequest.encode(write.request)
    : TxnRequest.encode(write.request);
}

async function withUsers(): Promise<Told> {
  const told = await Told.open();
  told.addUser('root');
  told.grantRole('root', 'root');
  told.addUser('alice');
  told.addUser('bob');
  told.role('writer', [WRITE, 'b', 'd'], [READ, 'c', '']);
  told.role('owner', [READWRITE, 'd', 'f']);
  told.role('reader', [READ, 'a', '\0']);
  told.grantRole('alice', 'writer');
  told.grantRole('alice', 'owner');
  told.grantRole('bob', 'reader');
  told.change({ kind: 'AuthEnable', request: AuthEnableRequest.create({}) });
  return told;
}

describe('rules of users that a shard has heard', () => {
  test('allow and refuse what the whole database does, whatever is asked', async () => {
    const told = await withUsers();
    const random = seededRandom(7);
    const pick = <T>(list: readonly T[]): T => list[random.u32() % list.length] as T;
    const key = (): Uint8Array => toBytes(pick(['a', 'b', 'c', 'c5', 'd', 'e', 'f', 'g']));
    const end = (): Uint8Array => pick([noEnd, noEnd, key(), new Uint8Array(1)]);
    const flag = (): boolean => random.u32() % 3 === 0;
    const put = () => PutRequest.create({ key: key(), prevKv: flag() });
    const remove = () => DeleteRangeRequest.create({ key: key(), rangeEnd: end(), prevKv: flag() });
    const operation = (): TxnRequest['success'][number] => {
      const kind = random.u32() % 3;
      if (kind === 0) return { request: { case: 'requestPut', value: put() } };
      if (kind === 1) return { request: { case: 'requestDeleteRange', value: remove() } };
      return {
        request: { case: 'requestRange', value: RangeRequest.create({ key: key(), rangeEnd: end() }) },
      };
    };
    const txn = () =>
      TxnRequest.create({
        compare: flag() ? [Compare.create({ key: key(), rangeEnd: end() })] : [],
        success: [operation()],
        failure: flag() ? [operation()] : [],
      });
    const answers = new Set<string>();
    for (let i = 0; i < 300; i += 1) {
      const write = pick<() => WriteRequest>([
        () => ({ kind: 'put', request: put() }),
        () => ({ kind: 'delete-range', request: remove() }),
        () => ({ kind: 'txn', request: txn() }),
      ])();
      const name = pick(['root', 'alice', 'bob', 'nobody', null]);
      const [whole, shard] = told.both(name, write);
      expect([name, write, shard]).toEqual([name, write, whole]);
      answers.add(`${name} ${whole}`);
    }
    // Each of them was allowed something, or nothing, as it should be.
    expect([...answers].sort()).toEqual([
      'alice ',
      'alice etcdserver: permission denied',
      'bob ',
      'bob etcdserver: permission denied',
      'nobody etcdserver: permission denied',
      'null etcdserver: user name is empty',
      'root ',
    ]);
  });

  test('are told of all users of a role that changes, in so many bytes', async () => {
    const told = await withUsers();
    const { auth } = told.harness.database;
    const perm = { permType: READ, key: toBytes('k'.repeat(1_000)), rangeEnd: noEnd };
    const grant = (name: string): number => {
      const request = AuthRoleGrantPermissionRequest.create({ name, perm });
      return rulesToldBytes(auth, encodeAuthChange({ kind: 'RoleGrantPermission', request }));
    };
    const before = grant('owner');
    expect(before).toBeGreaterThan(1_000);
    for (const name of ['eve', 'frank']) {
      told.addUser(name);
      told.grantRole(name, 'owner');
    }
    expect(grant('owner')).toBeGreaterThan(before + 2_000);
    expect(grant('nobody has it')).toBe(0);
  });

  test('are equal whether they were heard change by change or at once', async () => {
    const told = await withUsers();
    const equal = (): void => {
      const { auth } = told.harness.database;
      expect(told.heard.encode()).toEqual(UserRules.of(auth, noAlarms).encode());
      expect(UserRules.decode(told.heard.encode()).encode()).toEqual(told.heard.encode());
      expect(told.heard.changeTo(UserRules.of(auth, noAlarms))).toBeNull();
    };
    equal();
    told.change({ kind: 'RoleDelete', request: AuthRoleDeleteRequest.create({ role: 'owner' }) });
    equal();
    told.change({ kind: 'UserDelete', request: AuthUserDeleteRequest.create({ name: 'bob' }) });
    equal();
    const put = { kind: 'put', request: PutRequest.create({ key: toBytes('d') }) } as const;
    expect(told.both('alice', put)).toEqual(Array(2).fill('etcdserver: permission denied'));
    expect(told.both('bob', put)).toEqual(Array(2).fill('etcdserver: permission denied'));
  });

  test('want an identification by the users as they are', async () => {
    const told = await withUsers();
    const { revision } = told.harness.database.auth;
    const put = { kind: 'put', request: PutRequest.create({ key: toBytes('b') }) } as const;
    expect(told.both('alice', put)).toEqual(['', '']);
    expect(told.both('alice', put, revision - 1)).toEqual(
      Array(2).fill('etcdserver: revision of auth store is old'),
    );
    expect(told.heard.isCurrent({ name: 'alice', authRevision: revision - 1 })).toBe(false);
    expect(told.heard.isCurrent({ name: 'alice', authRevision: revision })).toBe(true);
    expect(new UserRules().isCurrent({ name: 'alice', authRevision: 9 })).toBe(true);
  });

  test('say the same of the part of a transaction that one shard has, where that is all that is refused', async () => {
    const told = await withUsers();
    const { revision: authRevision } = told.harness.database.auth;
    const write = {
      kind: 'txn',
      request: TxnRequest.create({
        compare: [Compare.create({ key: toBytes('c') })],
        success: [
          { request: { case: 'requestPut', value: PutRequest.create({ key: toBytes('c') }) } },
          { request: { case: 'requestPut', value: PutRequest.create({ key: toBytes('g') }) } },
        ],
      }),
    } as const;
    const part = (from: string, to: string | null): string => {
      const fragment = fragmentOf(asTxn(write), {
        from: toBytes(from),
        to: to === null ? null : toBytes(to),
      });
      const user = { name: 'alice', authRevision };
      return refusal(() => told.heard.check(user, { kind: 'txn', request: fragment }, () => []));
    };
    expect([part('', 'd'), part('d', null)]).toEqual(['', 'etcdserver: permission denied']);
  });

  test('ask for permission on every key that goes with a lease', async () => {
    const told = await withUsers();
    const authRevision = told.harness.database.auth.revision;
    const request = PutRequest.create({ key: toBytes('b'), lease: 5n });
    const check = (...keys: string[]): string =>
      refusal(() =>
        told.heard.check({ name: 'alice', authRevision }, { kind: 'put', request }, () => keys.map(toBytes)),
      );
    expect([check('b', 'c'), check('b', 'g')]).toEqual(['', 'etcdserver: permission denied']);
    const revoke = (...keys: string[]): string =>
      refusal(() =>
        told.heard.administer({ name: 'alice', authRevision }, 'revoke', () => keys.map(toBytes)),
      );
    expect([revoke('b'), revoke('g')]).toEqual(['', 'etcdserver: permission denied']);
    expect(refusal(() => told.heard.administer(null, 'grant', () => []))).toBe(
      'etcdserver: user name is empty',
    );
  });

  test('of a newer version are refused', () => {
    expect(() => UserRules.decode(Uint8Array.of(2))).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_STORAGE_VERSION' }) as Error,
    );
  });
});
