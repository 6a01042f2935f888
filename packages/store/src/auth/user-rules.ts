import { assert, FlotillaError } from '@flotilla/platform';
import { AlarmType, etcdErrors } from '@flotilla/wire';
import type { Permission } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import { hasPut } from '../cluster/alarms.ts';
import type { Alarms } from '../cluster/alarms.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { textToBytes } from '../encoding/text.ts';
import { keyRange } from '../mvcc/key-range.ts';
import type { RequestUser } from '../proposal.ts';
import { readBytes, readList, readText, writeList, writeText } from '../shard/entry-fields.ts';
import type { KeysOfLease, OrderRequestKind, ShardAccess } from '../shard/shard-store.ts';
import type { WriteRequest } from '../shard/write-request.ts';
import type { Auth } from './auth.ts';
import { type Access, KeyPermissions } from './key-permissions.ts';
import { type AccessRules, UserAccess } from './proposal-access.ts';

/** What one user may do. */
export interface UserRule {
  readonly name: string;
  readonly isRoot: boolean;
  /** Those of all roles of the user. */
  readonly granted: readonly Permission[];
}

/**
 * What a shard has to know of users and alarms to check requests where they are applied, as {@link Auth} and
 * {@link Alarms} check those of group 0: which users there are, what their roles allow together, and of which revision
 * that is.
 *
 * Of a put with a lease etcd asks for permission on every key that goes with the lease: a shard asks for its own.
 */
export class UserRules implements ShardAccess, AccessRules {
  #enabled = false;
  #revision = 0;
  #noSpace = false;
  #corrupt = false;
  readonly #users = new Map<string, UserRule>();
  /** Of the users that have asked for something since the last change. */
  #permissions = new Map<string, KeyPermissions>();

  static of(auth: Auth, alarms: Alarms): UserRules {
    const rules = new UserRules();
    rules.#enabled = auth.enabled;
    rules.#revision = auth.revision;
    rules.#noSpace = alarms.has(AlarmType.NOSPACE);
    rules.#corrupt = alarms.has(AlarmType.CORRUPT);
    for (const name of auth.userNames) {
      const rule = auth.ruleOf(name);
      if (rule !== null) rules.#users.set(name, rule);
    }
    return rules;
  }

  static decode(encoded: Uint8Array): UserRules {
    const rules = new UserRules();
    rules.apply(encoded);
    return rules;
  }

  // What requests want.

  isCurrent(user: RequestUser | null): boolean {
    return !this.#enabled || user === null || user.authRevision === this.#revision;
  }

  check(user: RequestUser | null, write: WriteRequest, keysOf: KeysOfLease): void {
    if (this.#enabled) checkWrite(new UserAccess(this, user, keysOf), write);
    if (this.#corrupt) throw etcdErrors.corrupt;
    if (this.#noSpace && addsData(write)) throw etcdErrors.noSpace;
  }

  administer(user: RequestUser | null, kind: OrderRequestKind, keys: () => readonly Uint8Array[]): void {
    if (this.#enabled) this.#requireOf(user, kind, keys);
    if (this.#corrupt) throw etcdErrors.corrupt;
    if (this.#noSpace && kind === 'grant') throw etcdErrors.noSpace;
  }

  get mayExpire(): boolean {
    return !this.#corrupt;
  }

  requireAccess(user: RequestUser | null, access: Access, key: Uint8Array, rangeEnd: Uint8Array): void {
    if (user === null) throw etcdErrors.userEmpty;
    if (user.authRevision !== this.#revision) throw etcdErrors.authOldRevision;
    const rule = this.#users.get(user.name);
    if (rule === undefined) throw etcdErrors.permissionDenied;
    if (rule.isRoot) return;
    if (!this.#permissionsOf(rule).allow(access, keyRange(key, rangeEnd))) throw etcdErrors.permissionDenied;
  }

  isRoot(user: RequestUser | null): boolean {
    return user !== null && (this.#users.get(user.name)?.isRoot ?? false);
  }

  /** Clients' requests have users; members ask for compaction of their own accord, too. */
  #requireOf(user: RequestUser | null, kind: OrderRequestKind, keys: () => readonly Uint8Array[]): void {
    if (kind === 'compact') {
      if (user !== null) this.#requireRoot(user);
      return;
    }
    if (user === null) throw etcdErrors.userEmpty;
    if (kind === 'revoke') new UserAccess(this, user, keys).lease('write', 0n);
  }

  #requireRoot(user: RequestUser): void {
    if (user.name === '') throw etcdErrors.userEmpty;
    const rule = this.#users.get(user.name);
    if (rule === undefined) throw etcdErrors.userNotFound;
    if (!rule.isRoot) throw etcdErrors.permissionDenied;
  }

  #permissionsOf({ name, granted }: UserRule): KeyPermissions {
    let permissions = this.#permissions.get(name);
    if (permissions === undefined) {
      permissions = new KeyPermissions(granted);
      this.#permissions.set(name, permissions);
    }
    return permissions;
  }

  // Changes.

  /** What makes `next` of these; null: they are the same. */
  changeTo(next: UserRules): Uint8Array | null {
    const changed: Uint8Array[] = [];
    for (const rule of next.#users.values()) {
      const before = this.#users.get(rule.name);
      const record = encodeRule(rule);
      if (before === undefined || compareBytes(encodeRule(before), record) !== 0) changed.push(record);
    }
    for (const name of this.#users.keys()) if (!next.#users.has(name)) changed.push(encodeRemoved(name));
    const isSame =
      this.#enabled === next.#enabled &&
      this.#revision === next.#revision &&
      this.#noSpace === next.#noSpace &&
      this.#corrupt === next.#corrupt;
    return isSame && changed.length === 0 ? null : next.#encode(changed);
  }

  apply(change: Uint8Array): void {
    const reader = new ByteReader(change);
    const version = reader.byte();
    if (version !== rulesVersion) {
      throw new FlotillaError(
        'FLOTILLA_STORAGE_VERSION',
        `rules of users have version ${version}; this program reads ${rulesVersion}`,
      );
    }
    const flags = reader.byte();
    this.#enabled = (flags & Flag.ENABLED) !== 0;
    this.#noSpace = (flags & Flag.NO_SPACE) !== 0;
    this.#corrupt = (flags & Flag.CORRUPT) !== 0;
    this.#revision = reader.varint();
    for (let left = reader.varint(); left > 0; left -= 1) this.#change(reader);
    assert(reader.remaining === 0, 'rules end where their bytes end');
    this.#permissions = new Map();
  }

  #change(reader: ByteReader): void {
    const name = readText(reader);
    const state = reader.byte();
    if (state === UserState.REMOVED) {
      this.#users.delete(name);
      return;
    }
    const granted = readList(reader, readPermission);
    this.#users.set(name, { name, isRoot: state === UserState.ROOT, granted });
  }

  /** All of it, as the change that makes it of nothing. */
  encode(): Uint8Array {
    const names = [...this.#users.keys()].sort();
    return this.#encode(names.map((name) => encodeRule(this.#users.get(name) as UserRule)));
  }

  fork(): UserRules {
    return UserRules.decode(this.encode());
  }

  #encode(changed: readonly Uint8Array[]): Uint8Array {
    writer.byte(rulesVersion);
    writer.byte(
      (this.#enabled ? Flag.ENABLED : 0) |
        (this.#noSpace ? Flag.NO_SPACE : 0) |
        (this.#corrupt ? Flag.CORRUPT : 0),
    );
    writer.varint(this.#revision);
    writeList(writer, changed, (target, record) => target.bytes(record));
    return writer.take();
  }
}

/** Logs and storages have them; a number never changes its meaning. */
const rulesVersion = 1;
const Flag = { ENABLED: 1, NO_SPACE: 2, CORRUPT: 4 } as const;
const UserState = { REMOVED: 0, PLAIN: 1, ROOT: 2 } as const;

const writer = new ByteWriter(4 * 1024);
const ruleWriter = new ByteWriter(4 * 1024);

/** What shards are told of one user. */
export function ruleBytes(rule: UserRule): number {
  return encodeRule(rule).length;
}

function encodeRule({ name, isRoot, granted }: UserRule): Uint8Array {
  ruleWriter.lengthPrefixed(textToBytes(name));
  ruleWriter.byte(isRoot ? UserState.ROOT : UserState.PLAIN);
  writeList(ruleWriter, granted, writePermission);
  return ruleWriter.take();
}

function encodeRemoved(name: string): Uint8Array {
  writeText(ruleWriter, name);
  ruleWriter.byte(UserState.REMOVED);
  return ruleWriter.take();
}

function writePermission(target: ByteWriter, { permType, key, rangeEnd }: Permission): void {
  target.byte(permType);
  target.lengthPrefixed(key);
  target.lengthPrefixed(rangeEnd);
}

function readPermission(reader: ByteReader): Permission {
  return { permType: reader.byte(), key: readBytes(reader), rangeEnd: readBytes(reader) };
}

function checkWrite(access: UserAccess, write: WriteRequest): void {
  if (write.kind === 'put') access.put(write.request);
  else if (write.kind === 'delete-range') access.deleteRange(write.request);
  else access.txn(write.request);
}

function addsData(write: WriteRequest): boolean {
  return write.kind === 'put' || (write.kind === 'txn' && hasPut(write.request));
}
