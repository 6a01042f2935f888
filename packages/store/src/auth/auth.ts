import { unreachable } from '@flotilla/platform';
import { etcdErrors, PermissionType, RpcError, Status } from '@flotilla/wire';
import type {
  AuthenticateResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
  Permission,
  ResponseHeader,
  Role,
  User,
} from '@flotilla/wire';
import { compareBytes, copyBytes, emptyBytes } from '../bytes.ts';
import { textToBytes } from '../encoding/text.ts';
import { header } from '../mvcc/header.ts';
import { isEmpty, keyRange } from '../mvcc/key-range.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { Proposal, RequestUser } from '../proposal.ts';
import type { SystemTable } from '../system/system-table.ts';
import { AuthRecords } from './auth-records.ts';
import { type AuthChange, decodeAuthChange, decodeTokenRequest } from './auth-requests.ts';
import { checkProposal, type KeysOfLease } from './proposal-access.ts';
import { type Access, KeyPermissions } from './key-permissions.ts';
import type { UserRule } from './user-rules.ts';

/** Every RPC that changes users or roles answers with a header alone. */
export interface AuthAnswer {
  readonly header: ResponseHeader;
}

/** Who keeps tokens and watches. Called while entries are applied. */
export interface AuthObserver {
  tokenIssued(token: string, user: string): void;
  /** The user is gone, or has another password: what was issued to it before is void. */
  credentialsChanged(user: string): void;
  /** What users may do is another thing from here on, or auth was turned on or off. */
  changed(): void;
}

/** In etcd a user of this role may do everything, and a user of this name must have it before auth is turned on. */
const root = 'root';

/**
 * Users, roles, and whether they count: etcd's auth store, with its texts and their precedence. What a user may do is
 * decided here for requests in the log and for reads alike, always by the present state.
 */
export class Auth {
  observer: AuthObserver | null = null;
  readonly #records: AuthRecords;
  readonly #keys: MultiVersionState;
  readonly #keysOfLease: KeysOfLease;
  /** Of the users that have asked for something since the last change. */
  #permissions = new Map<string, KeyPermissions>();

  constructor(system: SystemTable, keys: MultiVersionState, keysOfLease: KeysOfLease) {
    this.#records = new AuthRecords(system);
    this.#keys = keys;
    this.#keysOfLease = keysOfLease;
  }

  get enabled(): boolean {
    return this.#records.enabled;
  }

  /** Raised by every change. Who was identified by an older one is asked to identify again. */
  get revision(): number {
    return this.#records.revision;
  }

  // Who may do what. Nothing is refused while auth is off.

  /** Throws what etcd answers when the proposal's user may not do what it asks for, or was identified by an old state. */
  check(proposal: Proposal): void {
    if (this.enabled) checkProposal(this, proposal, this.#keysOfLease);
  }

  /** `rangeEnd` as in a request: empty is the one key, a zero byte is everything from `key` on. */
  requireAccess(user: RequestUser | null, access: Access, key: Uint8Array, rangeEnd: Uint8Array): void {
    if (!this.enabled) return;
    if (user === null) throw etcdErrors.userEmpty;
    if (user.authRevision !== this.revision) throw etcdErrors.authOldRevision;
    const record = this.#records.user(user.name);
    if (record === null) throw etcdErrors.permissionDenied;
    if (record.roles.includes(root)) return;
    if (!this.#permissionsOf(user.name, record).allow(access, keyRange(key, rangeEnd))) {
      throw etcdErrors.permissionDenied;
    }
  }

  /** As etcd, by the roles that the user has now: an old identification is good enough. */
  requireRoot(user: RequestUser | null): void {
    if (!this.enabled) return;
    if (user === null || user.name === '') throw etcdErrors.userEmpty;
    const record = this.#records.user(user.name);
    if (record === null) throw etcdErrors.userNotFound;
    if (!record.roles.includes(root)) throw etcdErrors.permissionDenied;
  }

  isRoot(user: RequestUser | null): boolean {
    if (!this.enabled) return true;
    return user !== null && (this.#records.user(user.name)?.roles.includes(root) ?? false);
  }

  // Questions.

  /** What a user may do, without the roles that it is for; null: there is no such user. */
  ruleOf(name: string): UserRule | null {
    const user = this.#records.user(name);
    if (user === null) return null;
    const granted = user.roles.flatMap((role) => this.#records.role(role)?.keyPermission ?? []);
    return { name, isRoot: user.roles.includes(root), granted };
  }

  user(name: string): User | null {
    return this.#records.user(name);
  }

  /** Null: there is no such role. The role root is shown as what it is worth. */
  permissionsOf(role: string): readonly Permission[] | null {
    const record = this.#records.role(role);
    if (record === null) return null;
    return role === root ? [everything] : record.keyPermission;
  }

  get userNames(): readonly string[] {
    return this.#records.userNames;
  }

  get roleNames(): readonly string[] {
    return this.#records.roleNames;
  }

  // What the log asks for.

  apply(request: Uint8Array): AuthAnswer {
    const change = decodeAuthChange(request);
    this.#execute(change);
    this.#permissions = new Map();
    if (change.kind === 'UserDelete' || change.kind === 'UserChangePassword') {
      this.observer?.credentialsChanged(change.request.name);
    }
    this.observer?.changed();
    return { header: header(this.#keys.revision) };
  }

  /** The password was right by the auth state that the request names. The token is etcd's: secret and log index. */
  authenticate(request: Uint8Array, { index }: LogPosition): AuthenticateResponse {
    const { user: name, authRevision, secret } = decodeTokenRequest(request);
    if (!this.enabled) throw etcdErrors.authNotEnabled;
    if (authRevision !== this.revision) throw etcdErrors.authOldRevision;
    const token = `${secret}.${index}`;
    this.observer?.tokenIssued(token, name);
    return { header: header(this.#keys.revision), token };
  }

  #execute(change: AuthChange): void {
    switch (change.kind) {
      case 'AuthEnable':
        return this.#enable();
      case 'AuthDisable':
        if (this.enabled) this.#commit(false);
        return;
      case 'UserAdd':
        return this.#addUser(change.request);
      case 'UserDelete':
        return this.#deleteUser(change.request.name);
      case 'UserChangePassword':
        return this.#changePassword(change.request);
      case 'UserGrantRole':
        return this.#grantRole(change.request);
      case 'UserRevokeRole':
        return this.#revokeRole(change.request);
      case 'RoleAdd':
        return this.#addRole(change.request.name);
      case 'RoleDelete':
        return this.#deleteRole(change.request.role);
      case 'RoleGrantPermission':
        return this.#grantPermission(change.request);
      case 'RoleRevokePermission':
        return this.#revokePermission(change.request);
      default:
        return unreachable(change);
    }
  }

  /** etcd's revision stays as it is here, unlike when auth is turned off. */
  #enable(): void {
    if (this.enabled) return;
    const user = this.#records.user(root);
    if (user === null) throw etcdErrors.rootUserNotExist;
    if (!user.roles.includes(root)) throw etcdErrors.rootRoleNotExist;
    this.#records.setSummary({ enabled: true, revision: this.revision });
  }

  #addUser({ name, options, hashedPassword }: AuthUserAddRequest): void {
    if (name === '') throw etcdErrors.userEmpty;
    if (this.#records.user(name) !== null) throw etcdErrors.userAlreadyExists;
    const noPassword = options !== null && options.noPassword;
    const password = noPassword ? emptyBytes : textToBytes(hashedPassword);
    this.#records.putUser(name, { name: textToBytes(name), password, roles: [], options: { noPassword } });
    this.#commit();
  }

  #deleteUser(name: string): void {
    if (this.enabled && name === root) throw etcdErrors.invalidAuthManagement;
    this.#existingUser(name);
    this.#records.removeUser(name);
    this.#commit();
  }

  /** A user without a password stays one. */
  #changePassword({ name, hashedPassword }: AuthUserChangePasswordRequest): void {
    const user = this.#existingUser(name);
    const password = hasNoPassword(user) ? emptyBytes : textToBytes(hashedPassword);
    this.#records.putUser(name, { ...user, password });
    this.#commit();
  }

  #grantRole({ user: name, role }: AuthUserGrantRoleRequest): void {
    const user = this.#existingUser(name);
    if (role !== root) this.#existingRole(role);
    if (user.roles.includes(role)) return;
    this.#records.putUser(name, { ...user, roles: [...user.roles, role].sort() });
    this.#commit();
  }

  #revokeRole({ name, role }: AuthUserRevokeRoleRequest): void {
    if (this.enabled && name === root && role === root) throw etcdErrors.invalidAuthManagement;
    const user = this.#existingUser(name);
    if (!user.roles.includes(role)) throw etcdErrors.roleNotGranted;
    this.#records.putUser(name, without(user, role));
    this.#commit();
  }

  #addRole(name: string): void {
    if (name === '') throw etcdErrors.roleEmpty;
    if (this.#records.role(name) !== null) throw etcdErrors.roleAlreadyExists;
    this.#records.putRole(name, { name: textToBytes(name), keyPermission: [] });
    this.#commit();
  }

  #deleteRole(name: string): void {
    if (this.enabled && name === root) throw etcdErrors.invalidAuthManagement;
    this.#existingRole(name);
    this.#records.removeRole(name);
    for (const userName of this.#records.userNames) {
      const user = this.#existingUser(userName);
      if (user.roles.includes(name)) this.#records.putUser(userName, without(user, name));
    }
    this.#commit();
  }

  #grantPermission({ name, perm }: AuthRoleGrantPermissionRequest): void {
    if (perm === null) throw etcdErrors.permissionNotGiven;
    if (perm.key.length === 0 || isEmpty(keyRange(perm.key, perm.rangeEnd))) {
      throw etcdErrors.invalidAuthManagement;
    }
    const role = this.#existingRole(name);
    this.#records.putRole(name, { ...role, keyPermission: withPermission(role.keyPermission, perm) });
    this.#commit();
  }

  #revokePermission({ role: name, key, rangeEnd }: AuthRoleRevokePermissionRequest): void {
    const role = this.#existingRole(name);
    const keyPermission = role.keyPermission.filter((permission) => !isFor(permission, key, rangeEnd));
    if (keyPermission.length === role.keyPermission.length) throw etcdErrors.permissionNotGranted;
    this.#records.putRole(name, { ...role, keyPermission });
    this.#commit();
  }

  #existingUser(name: string): User {
    const user = this.#records.user(name);
    if (user === null) throw etcdErrors.userNotFound;
    return user;
  }

  #existingRole(name: string): Role {
    const role = this.#records.role(name);
    if (role === null) throw etcdErrors.roleNotFound;
    return role;
  }

  #commit(enabled = this.enabled): void {
    this.#records.setSummary({ enabled, revision: this.revision + 1 });
  }

  #permissionsOf(name: string, user: User): KeyPermissions {
    let permissions = this.#permissions.get(name);
    if (permissions === undefined) {
      const granted = user.roles.flatMap((role) => this.#records.role(role)?.keyPermission ?? []);
      permissions = new KeyPermissions(granted);
      this.#permissions.set(name, permissions);
    }
    return permissions;
  }
}

export function hasNoPassword(user: User): boolean {
  return user.options !== null && user.options.noPassword;
}

/** etcd has no code of its own for it. */
export const noPasswordUser: RpcError = new RpcError(
  Status.UNKNOWN,
  'auth: authentication failed, password was given for no password user',
);

const everything: Permission = {
  permType: PermissionType.READWRITE,
  key: emptyBytes,
  rangeEnd: new Uint8Array(1),
};

function without(user: User, role: string): User {
  return { ...user, roles: user.roles.filter((name) => name !== role) };
}

function isFor(permission: Permission, key: Uint8Array, rangeEnd: Uint8Array): boolean {
  return compareBytes(permission.key, key) === 0 && compareBytes(permission.rangeEnd, rangeEnd) === 0;
}

/**
 * One permission for each range, in the order of keys. etcd looks at one permission of the key only, and can have
 * the same range twice.
 */
function withPermission(permissions: readonly Permission[], granted: Permission): Permission[] {
  const { permType } = granted;
  const same = permissions.findIndex(({ key, rangeEnd }) => isFor(granted, key, rangeEnd));
  if (same !== -1)
    return permissions.map((permission, i) => (i === same ? { ...permission, permType } : permission));
  const after = permissions.findIndex(({ key }) => compareBytes(key, granted.key) > 0);
  const own = { permType, key: copyBytes(granted.key), rangeEnd: copyBytes(granted.rangeEnd) };
  const place = after === -1 ? permissions.length : after;
  return [...permissions.slice(0, place), own, ...permissions.slice(place)];
}
