import {
  type AuthChange,
  encodeAuthChange,
  encodeTokenRequest,
  hasNoPassword,
  noPasswordUser,
} from '@flotilla/store';
import {
  Auth,
  type AuthenticateRequest,
  type AuthenticateResponse,
  type AuthRoleGetRequest,
  type AuthRoleGetResponse,
  type AuthRoleListResponse,
  type AuthStatusResponse,
  type AuthUserAddRequest,
  type AuthUserChangePasswordRequest,
  type AuthUserGetRequest,
  type AuthUserGetResponse,
  type AuthUserListResponse,
  EMPTY_LIST,
  etcdErrors,
  type Method,
  type ResponseHeader,
  type ServerCall,
  unary,
} from '@flotilla/wire';
import type { Passwords } from '../auth/adapters.ts';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import { requireLeaderIfAsked } from './leader.ts';
import { originOf } from './origin.ts';

/** `etcdserverpb.Auth`. Changes go through the log; questions are answered behind a read barrier. */
export function authMethods(backend: Backend, credentials: Credentials): Method[] {
  const auth = new AuthService(backend, credentials);
  const change = (change: AuthChange, call: ServerCall, bytes: Uint8Array) =>
    auth.change(change, call, bytes);
  const { methods } = Auth;
  return [
    unary(methods.AuthEnable, (request, call, bytes) => change({ kind: 'AuthEnable', request }, call, bytes)),
    unary(methods.AuthDisable, (request, call, bytes) =>
      change({ kind: 'AuthDisable', request }, call, bytes),
    ),
    unary(methods.AuthStatus, (_request, call) => auth.status(call)),
    unary(methods.Authenticate, (request, call) => auth.authenticate(request, call)),
    unary(methods.UserAdd, (request, call, bytes) => auth.addUser(request, call, bytes)),
    unary(methods.UserGet, (request, call) => auth.getUser(request, call)),
    unary(methods.UserList, (_request, call) => auth.listUsers(call)),
    unary(methods.UserDelete, (request, call, bytes) => change({ kind: 'UserDelete', request }, call, bytes)),
    unary(methods.UserChangePassword, (request, call, bytes) => auth.changePassword(request, call, bytes)),
    unary(methods.UserGrantRole, (request, call, bytes) =>
      change({ kind: 'UserGrantRole', request }, call, bytes),
    ),
    unary(methods.UserRevokeRole, (request, call, bytes) =>
      change({ kind: 'UserRevokeRole', request }, call, bytes),
    ),
    unary(methods.RoleAdd, (request, call, bytes) => change({ kind: 'RoleAdd', request }, call, bytes)),
    unary(methods.RoleGet, (request, call) => auth.getRole(request, call)),
    unary(methods.RoleList, (_request, call) => auth.listRoles(call)),
    unary(methods.RoleDelete, (request, call, bytes) => change({ kind: 'RoleDelete', request }, call, bytes)),
    unary(methods.RoleGrantPermission, (request, call, bytes) =>
      change({ kind: 'RoleGrantPermission', request }, call, bytes),
    ),
    unary(methods.RoleRevokePermission, (request, call, bytes) =>
      change({ kind: 'RoleRevokePermission', request }, call, bytes),
    ),
  ];
}

export interface Credentials {
  readonly passwords: Passwords;
  /** The unguessable part of a simple token. */
  randomSecret(): string;
}

class AuthService {
  readonly #backend: Backend;
  readonly #credentials: Credentials;

  constructor(backend: Backend, credentials: Credentials) {
    this.#backend = backend;
    this.#credentials = credentials;
  }

  async change(
    change: AuthChange,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<{ readonly header: ResponseHeader }> {
    requireLeaderIfAsked(this.#backend, call);
    const request = encodeAuthChange(change);
    if (request.length > this.#backend.settings.maxRequestBytes) throw etcdErrors.requestTooLarge;
    const { header } = await this.#backend.write('auth', request, originOf(this.#backend, call, bytes));
    return { header: this.#backend.stamp(header) };
  }

  /** What the log carries is the hash, made here: no member keeps a password, and no apply waits for bcrypt. */
  async addUser(
    request: AuthUserAddRequest,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<{ readonly header: ResponseHeader }> {
    // Here too, so that nobody makes a member hash for nothing.
    this.#backend.access.requireRoot(call);
    const noPassword = request.options !== null && request.options.noPassword;
    const hashedPassword = noPassword ? '' : await this.#credentials.passwords.hash(request.password);
    return await this.change(
      { kind: 'UserAdd', request: { ...request, password: '', hashedPassword } },
      call,
      bytes,
    );
  }

  /** As in etcd, an empty one is none that anybody could give. */
  async changePassword(
    request: AuthUserChangePasswordRequest,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<{ readonly header: ResponseHeader }> {
    this.#backend.access.requireRoot(call);
    const { name, password } = request;
    const hashedPassword = password === '' ? '' : await this.#credentials.passwords.hash(password);
    return await this.change(
      { kind: 'UserChangePassword', request: { name, password: '', hashedPassword } },
      call,
      bytes,
    );
  }

  /** Open to everybody, so that a client can find out that it has to authenticate. */
  async status(call: ServerCall): Promise<AuthStatusResponse> {
    await this.#current(call);
    const { access } = this.#backend;
    access.identify(call);
    const { enabled, revision } = access.auth;
    return { header: this.#backend.stamp(null), enabled, authRevision: BigInt(revision) };
  }

  /**
   * The password is checked here, and the log is told by which state: when users change meanwhile, it is checked
   * again. The request itself, which has the password in it, goes nowhere.
   */
  async authenticate(request: AuthenticateRequest, call: ServerCall): Promise<AuthenticateResponse> {
    await this.#current(call);
    for (let attempt = 1; ; attempt += 1) {
      const authRevision = await this.#checkPassword(request);
      try {
        return await this.#issue(request.name, authRevision);
      } catch (error) {
        if (error !== etcdErrors.authOldRevision || attempt >= limits.authAttempts) throw error;
      }
    }
  }

  async getUser({ name }: AuthUserGetRequest, call: ServerCall): Promise<AuthUserGetResponse> {
    await this.#current(call);
    const { access } = this.#backend;
    const caller = access.identify(call);
    if (name !== (caller?.name ?? '')) access.auth.requireRoot(caller);
    const user = access.auth.user(name);
    if (user === null) throw etcdErrors.userNotFound;
    return { header: this.#backend.stamp(null), roles: user.roles };
  }

  async listUsers(call: ServerCall): Promise<AuthUserListResponse> {
    await this.#current(call);
    const { access } = this.#backend;
    access.requireRoot(call);
    return { header: this.#backend.stamp(null), users: listed(access.auth.userNames) };
  }

  async getRole({ role }: AuthRoleGetRequest, call: ServerCall): Promise<AuthRoleGetResponse> {
    await this.#current(call);
    const { access } = this.#backend;
    const caller = access.identify(call);
    const own = caller !== null && (access.auth.user(caller.name)?.roles.includes(role) ?? false);
    if (!own) access.auth.requireRoot(caller);
    const perm = access.auth.permissionsOf(role);
    if (perm === null) throw etcdErrors.roleNotFound;
    return { header: this.#backend.stamp(null), perm };
  }

  async listRoles(call: ServerCall): Promise<AuthRoleListResponse> {
    await this.#current(call);
    const { access } = this.#backend;
    access.requireRoot(call);
    return { header: this.#backend.stamp(null), roles: listed(access.auth.roleNames) };
  }

  /** After it, users and roles are as every acknowledged change has left them. */
  async #current(call: ServerCall): Promise<void> {
    requireLeaderIfAsked(this.#backend, call);
    await this.#backend.readBarrier();
    this.#backend.requireState();
  }

  /** Answers the auth revision by which the password is right. */
  async #checkPassword({ name, password }: AuthenticateRequest): Promise<number> {
    const { auth } = this.#backend.access;
    if (!auth.enabled) throw etcdErrors.authNotEnabled;
    const user = auth.user(name);
    if (user === null) throw etcdErrors.authenticationFailed;
    if (hasNoPassword(user)) throw noPasswordUser;
    const { revision } = auth;
    const hash = new TextDecoder().decode(user.password);
    const right = await this.#credentials.passwords.verify(password, hash);
    if (!right) throw etcdErrors.authenticationFailed;
    return revision;
  }

  async #issue(user: string, authRevision: number): Promise<AuthenticateResponse> {
    const { access } = this.#backend;
    if (access.verified !== null) {
      const token = await access.verified.sign({ user, authRevision });
      if (access.auth.revision !== authRevision) throw etcdErrors.authOldRevision;
      return { header: this.#backend.stamp(null), token };
    }
    const secret = this.#credentials.randomSecret();
    const request = encodeTokenRequest({ user, authRevision, secret });
    // On nobody's behalf: whoever authenticates has no token yet, or one that has expired.
    const response = await this.#backend.write('authenticate', request, { user: null, session: null });
    return { ...response, header: this.#backend.stamp(response.header) };
  }
}

function listed(names: readonly string[]): readonly string[] {
  return names.length === 0 ? EMPTY_LIST : names;
}
