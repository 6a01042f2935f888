import { Buffer } from 'node:buffer';
import {
  Compare,
  CompareTarget,
  CompactionRequest,
  DeleteRangeRequest,
  FilterType,
  Permission,
  PermissionType,
  PutRequest,
  RangeRequest,
  type RequestOp,
  SortOrder,
  SortTarget,
  TxnRequest,
  WatchCreateRequest,
} from '@flotilla/wire';
import { type MethodName, now, type Operation } from './operations.ts';

/** The operations of a seed: the same for ever. */
export function generate(seed: number, count: number): Operation[] {
  const generator = new Generator(seed);
  const operations: Operation[] = [];
  while (operations.length < count) operations.push(...generator.next());
  operations.length = count;
  return operations;
}

/** Every user's, but where a wrong one is tried. */
export const PASSWORD = 'open sesame';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/**
 * Few, so that requests meet; some are prefixes of others. Not more than twelve: up to that many etcd sorts stably, and
 * beyond that the order of equal keys is its own.
 */
const keys = ['a', 'a\0', 'a/1', 'a/2', 'ab', 'b', 'b/1', 'b/x', 'c'].map(bytes);
/** At the ends of what keys can be, and a field of keys for limits. These are sorted by key only. */
const farKeys = [
  '\0',
  '\0\0',
  'z',
  '\xff',
  '\xff\xff',
  ...Array.from({ length: 30 }, (_, i) => `m/${i}`),
].map(bytes);
const ends = ['', '\0', 'a', 'a0', 'b', 'b0', 'c', 'd', 'm'].map(bytes);
const farEnds = ['', '\0', 'b', 'm/', 'm/2', 'm/3', 'm0', '\xff', '\xff\xff'].map(bytes);
const values = ['', 'v1', 'v2', 'v3', 'v4', 'a longer value \0\xff'].map(bytes);
const users = ['root', 'alice', 'bob', 'carol', 'nobody'];
const roles = ['root', 'reader', 'writer', 'missing'];
/** What two roles may do whenever authentication is on. */
const phasePermissions = [
  { role: 'writer', permType: PermissionType.READWRITE, key: bytes('a'), rangeEnd: bytes('b0') },
  { role: 'reader', permType: PermissionType.READ, key: bytes('a'), rangeEnd: bytes('a0') },
];
const SLOTS = 6;
const LEASES = 8;
const AUTH_PHASE_OPERATIONS = 60;

class Generator {
  #state: number;
  /** Whether the operations of now stand between enabling and disabling of authentication. */
  #inAuthPhase = false;
  /** Whether the transaction of now may do so. */
  #deletesToTheEnd = false;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): Operation[] {
    return this.#weighted<() => Operation[]>([
      [300, () => [this.#call('KV/Put', this.#put())]],
      [260, () => [this.#call('KV/Range', this.#range())]],
      [70, () => [this.#call('KV/DeleteRange', this.#delete())]],
      [200, () => [this.#call('KV/Txn', this.#wholeTxn())]],
      [8, () => [this.#compact()]],
      [60, () => [this.#lease()]],
      [25, () => [this.#watch()]],
      [10, () => [{ kind: 'cancel', slot: this.#below(SLOTS) }]],
      [20, () => [this.#authChange()]],
      [this.#inAuthPhase ? 0 : 1.5, () => this.#authPhase()],
    ])();
  }

  #call(method: MethodName, request: object): Operation {
    return { kind: 'call', method, request, as: this.#as() };
  }

  #as(): string | null {
    if (!this.#inAuthPhase) return this.#chance(0.02) ? this.#pick(users) : null;
    return this.#weighted([
      [10, 'root'],
      [12, 'alice'],
      [8, 'bob'],
      [2, 'carol'],
      [1, 'stranger'],
      [1, null],
    ]);
  }

  #put(): PutRequest {
    const ignoreValue = this.#chance(0.06);
    const ignoreLease = this.#chance(0.06);
    return PutRequest.create({
      key: this.#key(),
      value: ignoreValue && this.#chance(0.9) ? bytes('') : this.#pick(values),
      lease: this.#chance(ignoreLease ? 0.05 : 0.25) ? this.#leaseId() : 0n,
      prevKv: this.#chance(0.3),
      ignoreValue,
      ignoreLease,
    });
  }

  /** Asking for as much as etcd 3.4 checks: see `avoided`. */
  #putInTxn(): PutRequest {
    let put = this.#put();
    if (this.#inAuthPhase) put = { ...put, lease: 0n, prevKv: false };
    return this.#deletesToTheEnd ? { ...put, ignoreValue: false, ignoreLease: false } : put;
  }

  #deleteInTxn(): DeleteRangeRequest {
    for (;;) {
      const request = this.#delete();
      if (this.#deletesToTheEnd || !isOpenEnd(request.rangeEnd)) return request;
    }
  }

  #key(): Uint8Array {
    if (this.#chance(0.01)) return bytes('');
    return this.#pick(this.#chance(0.8) ? keys : farKeys);
  }

  #range(): RangeRequest {
    const sortOrder = this.#chance(0.4)
      ? this.#pick([SortOrder.NONE, SortOrder.ASCEND, SortOrder.DESCEND])
      : SortOrder.NONE;
    const sortTarget = this.#chance(0.4) ? this.#below(5) : SortTarget.KEY;
    const [key, rangeEnd] = this.#interval(sortTarget === SortTarget.KEY);
    return RangeRequest.create({
      key,
      rangeEnd,
      sortOrder,
      sortTarget,
      limit: this.#chance(0.35) ? this.#between(-1, 5) : 0,
      revision: this.#chance(0.35) ? this.#revision() : 0,
      serializable: this.#chance(0.3),
      keysOnly: this.#chance(0.15),
      countOnly: this.#chance(0.12),
      minModRevision: this.#chance(0.08) ? this.#revision() : 0,
      maxModRevision: this.#chance(0.08) ? this.#revision() : 0,
      minCreateRevision: this.#chance(0.08) ? this.#revision() : 0,
      maxCreateRevision: this.#chance(0.08) ? this.#revision() : 0,
    });
  }

  /** Not backwards, if anybody's permission counts: see `avoided`. */
  #interval(farToo: boolean): [Uint8Array, Uint8Array] {
    for (;;) {
      const [key, end] = this.#anyInterval(farToo);
      const isBackwards = end.length > 0 && !isOpenEnd(end) && Buffer.compare(key, end) >= 0;
      if (!this.#inAuthPhase || !isBackwards) return [key, end];
    }
  }

  #anyInterval(farToo: boolean): [Uint8Array, Uint8Array] {
    if (farToo && this.#chance(0.3)) return [this.#pick(farKeys), this.#pick(farEnds)];
    const key = this.#chance(0.01) ? bytes('') : this.#pick(keys);
    if (this.#chance(0.35)) return [key, bytes('')];
    const end = this.#pick(ends);
    return [key, !farToo && end.length === 1 && end[0] === 0 ? bytes('m') : end];
  }

  #delete(): DeleteRangeRequest {
    const [key, rangeEnd] = this.#chance(0.7) ? [this.#key(), bytes('')] : this.#interval(true);
    return DeleteRangeRequest.create({ key, rangeEnd, prevKv: this.#chance(0.5) });
  }

  /** It deletes to the end of all keys, or puts what keeps something, but not both: see `avoided`. */
  #wholeTxn(): TxnRequest {
    this.#deletesToTheEnd = this.#chance(0.5);
    return this.#txn(this.#inAuthPhase ? 0 : 2);
  }

  #txn(depth: number): TxnRequest {
    return TxnRequest.create({
      compare: this.#list(this.#between(0, 2), () => this.#compare()),
      success: this.#list(this.#between(0, 3), () => this.#requestOp(depth)),
      failure: this.#list(this.#between(0, 3), () => this.#requestOp(depth)),
    });
  }

  #requestOp(depth: number): RequestOp {
    if (this.#chance(0.003)) return { request: null };
    return this.#weighted<() => RequestOp>([
      [4, () => ({ request: { case: 'requestPut', value: this.#putInTxn() } })],
      [4, () => ({ request: { case: 'requestRange', value: this.#range() } })],
      [2, () => ({ request: { case: 'requestDeleteRange', value: this.#deleteInTxn() } })],
      [depth > 0 ? 1.5 : 0, () => ({ request: { case: 'requestTxn', value: this.#txn(depth - 1) } })],
    ])();
  }

  #compare(): Compare {
    const target = this.#below(5);
    const [key, rangeEnd] = this.#chance(0.7) ? [this.#key(), bytes('')] : this.#interval(true);
    // Now and then a target that is not the operand's: the target decides, the operand is then its default.
    const operand = this.#chance(0.03) ? this.#below(5) : target;
    return Compare.create({
      result: this.#below(4),
      target,
      key,
      rangeEnd,
      targetUnion: this.#operand(operand),
    });
  }

  #operand(target: CompareTarget): Compare['targetUnion'] {
    switch (target) {
      case CompareTarget.VERSION:
        return { case: 'version', value: this.#below(4) };
      case CompareTarget.CREATE:
        return { case: 'createRevision', value: this.#chance(0.4) ? 0 : this.#revision() };
      case CompareTarget.MOD:
        return { case: 'modRevision', value: this.#chance(0.3) ? 0 : this.#revision() };
      case CompareTarget.VALUE:
        return { case: 'value', value: this.#pick(values) };
      default:
        return { case: 'lease', value: this.#chance(0.5) ? 0n : this.#leaseId() };
    }
  }

  /** Mostly of the near past, sometimes compacted, sometimes of the future. */
  #revision(): number {
    return this.#weighted<() => number>([
      [20, () => now(-this.#below(12))],
      [6, () => now(-this.#below(200))],
      [2, () => now(this.#between(1, 3))],
      [1, () => this.#between(-1, 3)],
    ])();
  }

  /** As root, if as anybody: see `avoided`. */
  #compact(): Operation {
    const as = this.#inAuthPhase ? 'root' : null;
    return { kind: 'call', method: 'KV/Compact', request: this.#compaction(), as };
  }

  #compaction(): CompactionRequest {
    const revision = this.#weighted<() => number>([
      [10, () => now(-this.#below(60))],
      [2, () => now()],
      [1, () => now(1)],
      [1, () => this.#between(-1, 2)],
    ])();
    return CompactionRequest.create({ revision, physical: this.#chance(0.5) });
  }

  #leaseId(): bigint {
    return BigInt(this.#between(1, LEASES));
  }

  #lease(): Operation {
    const id = this.#leaseId();
    return this.#weighted<() => Operation>([
      [
        5,
        // Long enough for none to end during a run.
        () =>
          this.#named('Lease/LeaseGrant', {
            id,
            ttl: this.#chance(0.05) ? 9_000_000_001 : this.#between(5_000, 9_000),
          }),
      ],
      [3, () => this.#named('Lease/LeaseRevoke', { id: this.#chance(0.05) ? 0n : id })],
      [4, () => this.#call('Lease/LeaseTimeToLive', { id, keys: this.#chance(0.7) })],
      [1, () => this.#call('Lease/LeaseLeases', {})],
      [1, () => ({ kind: 'keepAlive', id, as: this.#as() })],
    ])();
  }

  /** By somebody who has a token, good or not: see `avoided`. */
  #named(method: MethodName, request: object): Operation {
    const as = this.#inAuthPhase ? this.#pick(['root', 'alice', 'bob', 'stranger']) : null;
    return { kind: 'call', method, request, as };
  }

  #watch(): Operation {
    let [key, rangeEnd] = this.#interval(true);
    // (See `avoided`.)
    while (this.#inAuthPhase && isOpenEnd(rangeEnd)) [key, rangeEnd] = this.#interval(true);
    const filters = this.#chance(0.25) ? this.#list(this.#between(1, 2), () => this.#below(2)) : [];
    const seesNothing = filters.includes(FilterType.NOPUT) && filters.includes(FilterType.NODELETE);
    const request = WatchCreateRequest.create({
      key,
      rangeEnd,
      filters: seesNothing ? [FilterType.NODELETE] : filters,
      prevKv: this.#chance(0.4),
      // (Not negative: see `avoided`.)
      startRevision: this.#chance(0.6) ? Math.max(this.#revision(), 0) : 0,
    });
    return { kind: 'watch', slot: this.#below(SLOTS), request, as: this.#inAuthPhase ? this.#as() : null };
  }

  #authChange(): Operation {
    const name = this.#pick(users);
    const role = this.#pick(roles);
    const [key, rangeEnd] = this.#interval(true);
    return this.#weighted<() => Operation>([
      [2, () => this.#call('Auth/UserAdd', this.#newUser(name))],
      [name === 'root' ? 0.1 : 1, () => this.#call('Auth/UserDelete', { name })],
      [2, () => this.#call('Auth/UserGet', { name })],
      [1, () => this.#call('Auth/UserList', {})],
      [name === 'root' ? 0 : 0.5, () => this.#call('Auth/UserChangePassword', { name, password: PASSWORD })],
      [4, () => this.#call('Auth/UserGrantRole', { user: name, role })],
      [2, () => this.#call('Auth/UserRevokeRole', { name, role })],
      [2, () => this.#call('Auth/RoleAdd', { name: this.#chance(0.05) ? '' : role })],
      [0.7, () => this.#call('Auth/RoleDelete', { role })],
      [2, () => this.#call('Auth/RoleGet', { role })],
      [1, () => this.#call('Auth/RoleList', {})],
      [
        5,
        () =>
          this.#call('Auth/RoleGrantPermission', {
            name: role,
            perm: Permission.create({ permType: this.#below(3), ...this.#permitted(role) }),
          }),
      ],
      [2, () => this.#call('Auth/RoleRevokePermission', { role, key, rangeEnd })],
      [2, () => this.#authenticate(name)],
      [0.5, () => this.#call('Auth/AuthDisable', {})],
      // (Otherwise it might stay on, and what is asked then is for nobody to ask: see `avoided`.)
      [this.#inAuthPhase ? 1 : 0, () => this.#call('Auth/AuthEnable', {})],
    ])();
  }

  /** Not empty, and of each key always the same range: see `avoided`. */
  #permitted(role: string): { key: Uint8Array; rangeEnd: Uint8Array } {
    const key = this.#pick([...keys, ...farKeys]);
    const phase = phasePermissions.find((permission) => permission.role === role);
    if (phase !== undefined && Buffer.compare(key, phase.key) === 0) return phase;
    const possible = [...ends, ...farEnds].filter(
      (end) => end.length === 0 || isOpenEnd(end) || Buffer.compare(key, end) < 0,
    );
    const sum = key.reduce((total, byte) => total * 31 + byte, role.length);
    return { key, rangeEnd: possible[sum % possible.length] as Uint8Array };
  }

  #newUser(name: string): object {
    if (this.#chance(0.05)) return { name: '', password: PASSWORD };
    // (Those of the others are needed to get a token, see `avoided`.)
    if ((name === 'carol' || name === 'nobody') && this.#chance(0.2)) {
      return { name, options: { noPassword: true } };
    }
    return { name, password: PASSWORD };
  }

  #authenticate(name: string): Operation {
    const password = this.#chance(0.1) ? 'wrong' : PASSWORD;
    return { kind: 'call', method: 'Auth/Authenticate', request: { name, password }, as: null };
  }

  /** Enables authentication with some users, does a bit of everything as each of them, and disables it. */
  #authPhase(): Operation[] {
    const call = (method: MethodName, request: object, as: string | null = null): Operation => ({
      kind: 'call',
      method: `Auth/${method}`,
      request,
      as,
    });
    const login = (name: string): Operation => call('Authenticate', { name, password: PASSWORD });
    const operations: Operation[] = [
      ...Array.from({ length: SLOTS }, (_, slot): Operation => ({ kind: 'cancel', slot })),
      ...['root', 'alice', 'bob'].map((name) => call('UserAdd', { name, password: PASSWORD })),
      ...['root', 'reader', 'writer'].map((name) => call('RoleAdd', { name })),
      call('UserGrantRole', { user: 'root', role: 'root' }),
      call('UserGrantRole', { user: 'alice', role: 'writer' }),
      call('UserGrantRole', { user: 'bob', role: 'reader' }),
      ...phasePermissions.map(({ role, permType, key, rangeEnd }) =>
        call('RoleGrantPermission', { name: role, perm: Permission.create({ permType, key, rangeEnd }) }),
      ),
      call('AuthEnable', {}),
      ...['root', 'alice', 'bob', 'carol'].map(login),
    ];
    this.#inAuthPhase = true;
    for (let i = 0; i < AUTH_PHASE_OPERATIONS; i += 1) operations.push(...this.next());
    this.#inAuthPhase = false;
    operations.push(login('root'), call('AuthDisable', {}, 'root'));
    return operations;
  }

  #list<T>(length: number, make: () => T): T[] {
    return Array.from({ length }, make);
  }

  #weighted<T>(choices: readonly (readonly [number, T])[]): T {
    let left = this.#random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return (choices[0] as readonly [number, T])[1];
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #between(low: number, high: number): number {
    return low + this.#below(high - low + 1);
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** mulberry32 */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
}

function isOpenEnd(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0;
}
