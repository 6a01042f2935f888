import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
  CompactionRequest,
  Compare,
  DeleteRangeRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PermissionType,
  PutRequest,
  RangeRequest,
  TxnRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { emptyConfiguration, type Index, type Term } from '@flotilla/raft';
import { describe, expect, test } from 'vitest';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';
import { encodeProposal, type Origin, type ProposalInput } from '../proposal.ts';
import { type AuthChange, encodeAuthChange, encodeTokenRequest } from './auth-requests.ts';

const { READ, WRITE, READWRITE } = PermissionType;
const denied = 'etcdserver: permission denied';
const nobody = 'etcdserver: user name is empty';
const old = 'etcdserver: revision of auth store is old';

describe('the auth revision', () => {
  test('begins at 1 and moves with every change, but not with turning auth on or with what changes nothing', async () => {
    const auth = await AuthHarness.open();
    expect(auth.revision).toBe(1);
    auth.addUser('root');
    auth.addRole('root');
    expect(auth.revision).toBe(3);
    auth.grantRole('root', 'root');
    auth.grantRole('root', 'root');
    expect(auth.revision).toBe(4);
    auth.enable();
    auth.enable();
    expect(auth.revision).toBe(4);
    auth.change({ kind: 'AuthDisable', request: AuthDisableRequest.create({}) }, 'root');
    expect(auth.revision).toBe(5);
    auth.change({ kind: 'AuthDisable', request: AuthDisableRequest.create({}) });
    expect(auth.revision).toBe(5);
  });

  test('and all users and roles outlast a restart, with what they allow (etcd #14355)', async () => {
    const auth = await AuthHarness.withReaders();
    const before = describeAll(auth);
    await auth.harness.rest();
    await auth.harness.restart();
    expect(auth.harness.database.auth.enabled).toBe(true);
    expect(describeAll(auth)).toEqual(before);
    expect(auth.refusal('put', put('outside'), 'alice')).toBe(denied);
  });
});

test('a snapshot brings its users and roles, and forgets what those before were allowed (etcd #14571, #13883)', async () => {
  const auth = await AuthHarness.withReaders();
  const other = await AuthHarness.withUser([WRITE, 'w']);
  const heard: string[] = [];
  other.harness.database.keepAuth({
    tokenIssued: () => undefined,
    credentialsChanged: () => undefined,
    changed: () => undefined,
    restored: () => heard.push('restored'),
  });
  for (let i = 0; i < 8; i += 1) auth.addRole(`more ${i}`, 'root');
  const source = auth.harness.database.snapshot();
  const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };
  const copied = (async () => {
    const sink = await other.harness.database.install(meta);
    for await (const chunk of source.chunks()) await sink.write(chunk);
    await sink.finish();
  })();
  for (let i = 0; i < 10; i += 1) {
    await auth.harness.rest();
    await other.harness.rest();
  }
  await copied;
  expect(heard).toEqual(['restored']);
  expect(describeAll(other)).toEqual(describeAll(auth));
  expect(other.refusal('put', put('w'), 'alice')).toBe(denied);
  expect(other.reading('alice', 'a/1')).toBe('no error');
  expect(other.refused(() => other.addRole('one more', 'root'))).toBe('no error');
});

describe('a request of a session that was executed', () => {
  const session = { id: 's', request: 1, done: 0, digest: new Uint8Array(0) };
  const ask = (auth: AuthHarness, by: string, later = 0, key = 'w'): string =>
    auth.refused(() => auth.harness.propose('put', put(key), { ...auth.as(by, later), session }));

  test('is answered again to its user, who may not ask for it any more', async () => {
    const auth = await AuthHarness.withUser([WRITE, 'w']);
    expect(ask(auth, 'alice')).toBe('no error');
    const { revision } = auth.harness.database;
    auth.revokeRole('alice', 'role', 'root');
    expect(ask(auth, 'alice')).toBe('no error');
    expect(auth.harness.database.revision).toBe(revision);
    expect(auth.refusal('put', put('w'), 'alice')).toBe(denied);
  });

  test('is not answered to another user, nor to one that was identified by users as they were', async () => {
    const auth = await AuthHarness.withUser([WRITE, 'w']);
    expect(ask(auth, 'alice')).toBe('no error');
    auth.addUser('bob', 'root');
    auth.revokeRole('alice', 'role', 'root');
    expect(ask(auth, 'bob')).toBe('flotilla: session belongs to another user');
    expect(ask(auth, 'alice', -1)).toBe(old);
    // Under its number, but not what was executed.
    expect(ask(auth, 'alice', 0, 'x')).toBe('flotilla: request number was used for another request');
  });

  test('that never was is refused as any other', async () => {
    const auth = await AuthHarness.withUser([WRITE, 'w']);
    expect(ask(auth, 'alice', 0, 'x')).toBe(denied);
    expect(auth.harness.database.stats.sessions.count).toBe(0);
  });
});

describe('turning auth on', () => {
  test('needs a user root that has the role root', async () => {
    const auth = await AuthHarness.open();
    expect(auth.refused(() => auth.enable())).toBe('etcdserver: root user does not exist');
    auth.addUser('root');
    expect(auth.refused(() => auth.enable())).toBe('etcdserver: root user does not have root role');
    auth.grantRole('root', 'root');
    expect(auth.refused(() => auth.enable())).toBe('no error');
  });

  test('forbids to delete either, or to take one from the other', async () => {
    const auth = await AuthHarness.withReaders();
    const management = 'etcdserver: invalid auth management';
    expect(auth.refused(() => auth.deleteUser('root', 'root'))).toBe(management);
    expect(auth.refused(() => auth.deleteRole('root', 'root'))).toBe(management);
    expect(auth.refused(() => auth.revokeRole('root', 'root', 'root'))).toBe(management);
  });

  test('leaves what members do of their own accord allowed, and refuses clients without a user', async () => {
    const auth = await AuthHarness.withReaders();
    expect(auth.refusal('put', put('a'), null)).toBe(nobody);
    expect(auth.refusal('delete-range', remove('a'), null)).toBe(nobody);
    expect(auth.refusal('txn', txn({ success: [putOperation('a')] }), null)).toBe(nobody);
    expect(auth.refusal('lease-grant', grantLease(1n), null)).toBe(nobody);
    expect(auth.refusal('lease-revoke', revokeLease(1n), null)).toBe(nobody);
    expect(auth.refused(() => auth.addUser('x', null))).toBe(nobody);
    const compaction = CompactionRequest.encode({ revision: 1, physical: false });
    expect(auth.refusal('compact', compaction, null)).toBe('no error');
    expect(auth.refusal('compact', compaction, 'alice')).toBe(denied);
  });
});

describe('names', () => {
  test('are not empty, not twice there, and there when something is done with them', async () => {
    const auth = await AuthHarness.open();
    auth.addUser('alice');
    auth.addRole('reader');
    const missingUser = 'etcdserver: user name not found';
    const missingRole = 'etcdserver: role name not found';
    expect(auth.refused(() => auth.addUser(''))).toBe('etcdserver: user name is empty');
    expect(auth.refused(() => auth.addRole(''))).toBe('etcdserver: role name is empty');
    expect(auth.refused(() => auth.addUser('alice'))).toBe('etcdserver: user name already exists');
    expect(auth.refused(() => auth.addRole('reader'))).toBe('etcdserver: role name already exists');
    expect(auth.refused(() => auth.deleteUser('bob'))).toBe(missingUser);
    expect(auth.refused(() => auth.deleteRole('writer'))).toBe(missingRole);
    expect(auth.refused(() => auth.grantRole('bob', 'writer'))).toBe(missingUser);
    expect(auth.refused(() => auth.grantRole('alice', 'writer'))).toBe(missingRole);
    expect(auth.refused(() => auth.revokeRole('bob', 'reader'))).toBe(missingUser);
    expect(auth.refused(() => auth.revokeRole('alice', 'reader'))).toBe(
      'etcdserver: role is not granted to the user',
    );
    expect(auth.refused(() => auth.grant('writer', READ, 'a'))).toBe(missingRole);
    expect(auth.refused(() => auth.revoke('writer', 'a'))).toBe(missingRole);
    expect(auth.refused(() => auth.revoke('reader', 'a'))).toBe(
      'etcdserver: permission is not granted to the role',
    );
    expect(auth.refused(() => auth.changePassword('bob'))).toBe(missingUser);
    expect(auth.revision).toBe(3);
  });

  test('of a deleted role are taken from its users', async () => {
    const auth = await AuthHarness.withReaders();
    auth.deleteRole('reader', 'root');
    expect(auth.harness.database.auth.user('alice')!.roles).toEqual([]);
    expect(auth.harness.database.auth.user('root')!.roles).toEqual(['root']);
    expect(auth.reading('alice', 'a/1')).toBe(denied);
  });
});

describe('a permission', () => {
  test('is for a range that has keys, and is one for each range', async () => {
    const auth = await AuthHarness.open();
    auth.addRole('reader');
    const management = 'etcdserver: invalid auth management';
    expect(auth.refused(() => auth.grant('reader', READ, ''))).toBe(management);
    expect(auth.refused(() => auth.grant('reader', READ, 'b', 'a'))).toBe(management);
    expect(auth.refused(() => auth.grant('reader', READ, 'b', 'b'))).toBe(management);
    const none = AuthRoleGrantPermissionRequest.create({ name: 'reader' });
    expect(auth.refused(() => auth.change({ kind: 'RoleGrantPermission', request: none }))).toBe(
      'etcdserver: permission not given',
    );
    auth.grant('reader', READ, 'b');
    auth.grant('reader', READ, 'b', 'c');
    auth.grant('reader', READ, 'a', '\0');
    auth.grant('reader', READWRITE, 'b', 'c');
    auth.grant('reader', WRITE, 'b');
    expect(
      auth.harness.database.auth
        .permissionsOf('reader')!
        .map(({ permType, key, rangeEnd }) => [permType, text(key), text(rangeEnd)]),
    ).toEqual([
      [READ, 'a', '\0'],
      [WRITE, 'b', ''],
      [READWRITE, 'b', 'c'],
    ]);
  });

  test('is for exactly its keys', async () => {
    const auth = await AuthHarness.withUser([READ, 'k'], [READ, 'm', 'p'], [READ, 'x', '\0']);
    expect(auth.reading('alice', 'k')).toBe('no error');
    expect(auth.reading('alice', 'k\0')).toBe(denied);
    expect(auth.reading('alice', 'k', 'k\0')).toBe('no error');
    expect(auth.reading('alice', 'k', 'l')).toBe(denied);
    expect(auth.reading('alice', 'm')).toBe('no error');
    expect(auth.reading('alice', 'o\xff')).toBe('no error');
    expect(auth.reading('alice', 'p')).toBe(denied);
    expect(auth.reading('alice', 'n', 'p')).toBe('no error');
    expect(auth.reading('alice', 'n', 'p\0')).toBe(denied);
    expect(auth.reading('alice', 'l', 'n')).toBe(denied);
    expect(auth.reading('alice', 'n', '\0')).toBe(denied);
    expect(auth.reading('alice', 'x', '\0')).toBe('no error');
    expect(auth.reading('alice', 'y', 'z')).toBe('no error');
    expect(auth.reading('alice', 'w', '\0')).toBe(denied);
    expect(auth.reading('alice', 'a', '\0')).toBe(denied);
  });

  test('for a range without keys is one for all between its end and its beginning, as in etcd', async () => {
    const auth = await AuthHarness.withUser([READ, 'm', 'p'], [READ, 'p', 'r']);
    expect(auth.reading('alice', 'o', 'n')).toBe('no error');
    expect(auth.reading('alice', 'n', 'n')).toBe('no error');
    expect(auth.reading('alice', 'n', 'm')).toBe(denied);
    expect(auth.reading('alice', 'p', 'n')).toBe(denied);
    expect(auth.reading('alice', 'z', 'a')).toBe(denied);
  });

  test('of ranges that touch allows a range over all of them', async () => {
    const auth = await AuthHarness.withUser(
      [READ, 'a', 'c'],
      [READWRITE, 'c', 'e'],
      [READ, 'd', 'g'],
      [WRITE, 'g', 'h'],
    );
    expect(auth.reading('alice', 'a', 'g')).toBe('no error');
    expect(auth.reading('alice', 'a', 'g\0')).toBe(denied);
    expect(auth.refusal('delete-range', remove('c', 'e'), 'alice')).toBe('no error');
    expect(auth.refusal('delete-range', remove('b', 'e'), 'alice')).toBe(denied);
  });

  test('to read or to write is not the other one', async () => {
    const auth = await AuthHarness.withUser([READ, 'r'], [WRITE, 'w'], [READWRITE, 'x']);
    const all = ['r', 'w', 'x'];
    expect(all.map((key) => auth.reading('alice', key))).toEqual(['no error', denied, 'no error']);
    expect(all.map((key) => auth.refusal('put', put(key), 'alice'))).toEqual([
      denied,
      'no error',
      'no error',
    ]);
    expect(all.map((key) => auth.refusal('put', put(key, { prevKv: true }), 'alice'))).toEqual([
      denied,
      denied,
      'no error',
    ]);
    expect(all.map((key) => auth.refusal('delete-range', remove(key), 'alice'))).toEqual([
      denied,
      'no error',
      'no error',
    ]);
    expect(all.map((key) => auth.refusal('delete-range', remove(key, '', true), 'alice'))).toEqual([
      denied,
      denied,
      'no error',
    ]);
  });

  test('is asked for everything that a transaction could do, nested too', async () => {
    const auth = await AuthHarness.withUser([READ, 'r'], [WRITE, 'w']);
    const compare = (key: string): Compare => Compare.create({ key: toBytes(key) });
    const range = (key: string) => ({
      request: { case: 'requestRange' as const, value: RangeRequest.create({ key: toBytes(key) }) },
    });
    const nested = (request: Partial<TxnRequest>) => ({
      request: { case: 'requestTxn' as const, value: TxnRequest.create(request) },
    });
    const outcome = (request: Partial<TxnRequest>): string => auth.refusal('txn', txn(request), 'alice');
    expect(outcome({ compare: [compare('r')], success: [range('r')], failure: [putOperation('w')] })).toBe(
      'no error',
    );
    expect(outcome({ compare: [compare('w')], success: [putOperation('w')] })).toBe(denied);
    expect(outcome({ success: [range('w'), putOperation('w')] })).toBe(denied);
    expect(outcome({ success: [putOperation('w')], failure: [putOperation('r')] })).toBe(denied);
    expect(outcome({ success: [nested({ success: [putOperation('w')] })] })).toBe('no error');
    expect(outcome({ success: [nested({ failure: [putOperation('r')] })] })).toBe(denied);
    expect(outcome({ failure: [nested({ compare: [compare('w')] })] })).toBe(denied);
  });

  test('to write every key of a lease is needed to attach one more, or to revoke it', async () => {
    const auth = await AuthHarness.withUser([WRITE, 'w']);
    expect(auth.refusal('lease-grant', grantLease(7n), 'alice')).toBe('no error');
    expect(auth.refusal('put', put('w', { lease: 7n }), 'alice')).toBe('no error');
    expect(auth.refusal('put', put('other', { lease: 7n }), 'root')).toBe('no error');
    expect(auth.refusal('put', put('w', { lease: 7n }), 'alice')).toBe(denied);
    expect(auth.refusal('lease-revoke', revokeLease(7n), 'alice')).toBe(denied);
    expect(auth.refusal('delete-range', remove('other'), 'root')).toBe('no error');
    expect(auth.refusal('lease-revoke', revokeLease(7n), 'alice')).toBe('no error');
  });
});

describe('a user', () => {
  test('that was identified by an older state is asked to identify again, also to take a token', async () => {
    const auth = await AuthHarness.withUser([WRITE, 'w']);
    const before = auth.as('alice');
    auth.addRole('another', 'root');
    expect(auth.refused(() => auth.harness.propose('put', put('w'), before))).toBe(old);
    expect(auth.refusal('put', put('w'), 'alice')).toBe('no error');
    const token = { user: 'alice', authRevision: auth.revision - 1, secret: 'abc' };
    expect(auth.refused(() => auth.harness.propose('authenticate', encodeTokenRequest(token)))).toBe(old);
  });

  test('that is gone, or has lost its role, writes nothing more', async () => {
    const auth = await AuthHarness.withUser([WRITE, 'w']);
    auth.revokeRole('alice', 'role', 'root');
    expect(auth.refusal('put', put('w'), 'alice')).toBe(denied);
    auth.deleteUser('alice', 'root');
    expect(auth.refusal('put', put('w'), 'alice')).toBe(denied);
    expect(auth.harness.list('w')).toEqual([]);
  });

  test('without the role root changes no users, not even its own password', async () => {
    const auth = await AuthHarness.withUser([READWRITE, 'a', '\0']);
    expect(auth.refused(() => auth.changePassword('alice', 'alice'))).toBe(denied);
    expect(auth.refused(() => auth.addUser('bob', 'alice'))).toBe(denied);
    expect(auth.refused(() => auth.grantRole('alice', 'root', 'alice'))).toBe(denied);
    expect(auth.refused(() => auth.deleteUser('root', 'nobody'))).toBe('etcdserver: user name not found');
  });

  test('with the role root may do everything, whatever its name', async () => {
    const auth = await AuthHarness.withUser([READ, 'r']);
    auth.grantRole('alice', 'root', 'root');
    expect(auth.refusal('put', put('anything'), 'alice')).toBe('no error');
    expect(auth.refused(() => auth.addUser('bob', 'alice'))).toBe('no error');
  });
});

test('a token is the secret and the index of its entry, and those who keep tokens are told when they are void', async () => {
  const auth = await AuthHarness.withUser([READ, 'r']);
  const heard: string[] = [];
  auth.harness.database.keepAuth({
    tokenIssued: (token, user) => heard.push(`issued ${token} to ${user}`),
    credentialsChanged: (user) => heard.push(`void ${user}`),
    changed: () => heard.push(`changed at ${auth.revision}`),
    restored: () => undefined,
  });
  const { revision } = auth;
  const request = encodeTokenRequest({ user: 'alice', authRevision: revision, secret: 'abc' });
  const result = auth.harness.propose('authenticate', request);
  const { index } = auth.harness.database.applied;
  expect(result).toMatchObject({ kind: 'authenticate', response: { token: `abc.${index}` } });
  auth.changePassword('alice', 'root');
  auth.addRole('another', 'root');
  auth.deleteUser('alice', 'root');
  expect(heard).toEqual([
    `issued abc.${index} to alice`,
    'void alice',
    `changed at ${revision + 1}`,
    `changed at ${revision + 2}`,
    'void alice',
    `changed at ${revision + 3}`,
  ]);
});

test('what a watch may see is decided between the entries, not after the batch that they were applied in', async () => {
  const auth = await AuthHarness.withUser([READ, 'a']);
  const { harness } = auth;
  const seen: string[] = [];
  const stream = harness.database.watches.open({
    send: (response: WatchResponse) => {
      for (const { kv } of response.events) seen.push(text(kv!.value));
      return true;
    },
  });
  stream.request({
    requestUnion: { case: 'createRequest', value: { ...noWatch, key: toBytes('a') } },
  });
  harness.database.keepAuth({
    tokenIssued: () => undefined,
    credentialsChanged: () => undefined,
    changed: () => stream.cancel(0),
    restored: () => undefined,
  });
  await harness.rest();
  const proposals: ProposalInput[] = [
    { kind: 'put', requestId: 1, request: put('a', { value: toBytes('before') }), origin: auth.as('root') },
    { kind: 'auth', requestId: 2, request: encodeAuthChange(roleAdd('x')), origin: auth.as('root') },
    { kind: 'put', requestId: 3, request: put('a', { value: toBytes('after') }), origin: auth.as('root', 1) },
  ];
  const { index } = harness.database.applied;
  harness.database.apply(
    proposals.map((proposal, i) => ({
      index: (index + 1 + i) as Index,
      term: 1 as Term,
      kind: 'command' as const,
      payload: encodeProposal(proposal),
    })),
  );
  await harness.rest();
  expect(harness.list('a')).toEqual(['a=after']);
  expect(seen).toEqual(['before']);
});

const noWatch = {
  key: new Uint8Array(0),
  rangeEnd: new Uint8Array(0),
  startRevision: 0,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0,
  fragment: false,
};

/** Users and roles in strings; `by` is who asks. */
class AuthHarness {
  readonly harness: Harness;

  private constructor(harness: Harness) {
    this.harness = harness;
  }

  static async open(): Promise<AuthHarness> {
    return new AuthHarness(await Harness.open());
  }

  /** Auth is on; alice has a role with these permissions. */
  static async withUser(...permissions: [PermissionType, string, string?][]): Promise<AuthHarness> {
    const auth = await AuthHarness.open();
    auth.addUser('root');
    auth.grantRole('root', 'root');
    auth.addUser('alice');
    auth.addRole('role');
    for (const permission of permissions) auth.grant('role', ...permission);
    auth.grantRole('alice', 'role');
    auth.enable();
    return auth;
  }

  static async withReaders(): Promise<AuthHarness> {
    const auth = await AuthHarness.open();
    auth.addUser('root');
    auth.addRole('root');
    auth.grantRole('root', 'root');
    auth.addUser('alice');
    auth.addRole('reader');
    auth.grant('reader', READ, 'a/', 'a0');
    auth.grantRole('alice', 'reader');
    auth.enable();
    return auth;
  }

  get revision(): number {
    return this.harness.database.auth.revision;
  }

  as(name: string | null, later = 0): Origin {
    const user = name === null ? null : { name, authRevision: this.revision + later };
    return { user, session: null };
  }

  refusal(kind: Parameters<Harness['propose']>[0], request: Uint8Array, by: string | null): string {
    return this.refused(() => this.harness.propose(kind, request, this.as(by)));
  }

  refused(run: () => unknown): string {
    return this.harness.refusal(run);
  }

  reading(by: string, key: string, rangeEnd = ''): string {
    const { auth } = this.harness.database;
    const { user } = this.as(by);
    return this.refused(() => auth.requireAccess(user, 'read', latin(key), latin(rangeEnd)));
  }

  change(change: AuthChange, by: string | null = null): void {
    this.harness.propose('auth', encodeAuthChange(change), this.as(by));
  }

  enable(): void {
    this.change({ kind: 'AuthEnable', request: AuthEnableRequest.create({}) }, 'root');
  }

  addUser(name: string, by: string | null = null): void {
    this.change(
      { kind: 'UserAdd', request: AuthUserAddRequest.create({ name, hashedPassword: 'hash' }) },
      by,
    );
  }

  deleteUser(name: string, by: string | null = null): void {
    this.change({ kind: 'UserDelete', request: AuthUserDeleteRequest.create({ name }) }, by);
  }

  changePassword(name: string, by: string | null = null): void {
    const request = AuthUserChangePasswordRequest.create({ name, hashedPassword: 'other' });
    this.change({ kind: 'UserChangePassword', request }, by);
  }

  addRole(name: string, by: string | null = null): void {
    this.change(roleAdd(name), by);
  }

  deleteRole(role: string, by: string | null = null): void {
    this.change({ kind: 'RoleDelete', request: AuthRoleDeleteRequest.create({ role }) }, by);
  }

  grantRole(user: string, role: string, by: string | null = null): void {
    this.change({ kind: 'UserGrantRole', request: AuthUserGrantRoleRequest.create({ user, role }) }, by);
  }

  revokeRole(name: string, role: string, by: string | null = null): void {
    this.change({ kind: 'UserRevokeRole', request: AuthUserRevokeRoleRequest.create({ name, role }) }, by);
  }

  grant(name: string, permType: PermissionType, key: string, rangeEnd = ''): void {
    const perm = { permType, key: latin(key), rangeEnd: latin(rangeEnd) };
    const request = AuthRoleGrantPermissionRequest.create({ name, perm });
    this.change({ kind: 'RoleGrantPermission', request });
  }

  revoke(role: string, key: string, rangeEnd = ''): void {
    const request = AuthRoleRevokePermissionRequest.create({
      role,
      key: latin(key),
      rangeEnd: latin(rangeEnd),
    });
    this.change({ kind: 'RoleRevokePermission', request });
  }
}

function describeAll({ harness, revision }: AuthHarness): unknown {
  const { auth } = harness.database;
  return {
    revision,
    users: auth.userNames.map((name) => auth.user(name)),
    roles: auth.roleNames.map((name) => [name, auth.permissionsOf(name)]),
  };
}

function roleAdd(name: string): AuthChange {
  return { kind: 'RoleAdd', request: AuthRoleAddRequest.create({ name }) };
}

function put(key: string, options: Partial<PutRequest> = {}): Uint8Array {
  return PutRequest.encode(PutRequest.create({ key: toBytes(key), ...options }));
}

function putOperation(key: string) {
  return { request: { case: 'requestPut' as const, value: PutRequest.create({ key: toBytes(key) }) } };
}

function remove(key: string, rangeEnd = '', prevKv = false): Uint8Array {
  return DeleteRangeRequest.encode({ key: toBytes(key), rangeEnd: toBytes(rangeEnd), prevKv });
}

function txn(request: Partial<TxnRequest>): Uint8Array {
  return TxnRequest.encode(TxnRequest.create(request));
}

function grantLease(id: bigint): Uint8Array {
  return LeaseGrantRequest.encode({ id, ttl: 10 });
}

function revokeLease(id: bigint): Uint8Array {
  return LeaseRevokeRequest.encode({ id });
}

/** One byte per letter, beyond ASCII too. */
function latin(letters: string): Uint8Array {
  return new Uint8Array(Buffer.from(letters, 'latin1'));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
