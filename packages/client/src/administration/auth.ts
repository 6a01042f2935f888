import { Auth as AuthService, AuthUserAddRequest, Permission } from '@flotilla/wire';
import type { MethodDescriptor } from '@flotilla/wire';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import { keyRange } from '../span.ts';
import type { KeyOrSpan } from '../span.ts';

const { methods } = AuthService;

export type Access = 'read' | 'write' | 'readwrite';

/** What a role may do with which keys, as etcd has it: `rangeEnd` empty for one key. */
export interface RolePermission {
  readonly access: Access;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** Users, roles, and whether they count. */
export class AuthAdministration {
  readonly users: Users;
  readonly roles: Roles;
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.users = new Users(requester);
    this.roles = new Roles(requester);
  }

  /** From then on every request needs a user. There must be a user `root` with the role `root`. */
  async enable(options?: RequestOptions): Promise<void> {
    await this.#requester.call(methods.AuthEnable, {}, 'write', options);
  }

  async disable(options?: RequestOptions): Promise<void> {
    await this.#requester.call(methods.AuthDisable, {}, 'write', options);
  }

  async isEnabled(options?: RequestOptions): Promise<boolean> {
    return (await this.#requester.call(methods.AuthStatus, {}, 'read', options)).enabled;
  }
}

export class Users {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  /** Without a password: a user that certificates name. */
  async add(name: string, password: string | null, options?: RequestOptions): Promise<void> {
    const request = AuthUserAddRequest.create({
      name,
      password: password ?? '',
      options: { noPassword: password === null },
    });
    await this.#write(methods.UserAdd, request, options);
  }

  async rolesOf(name: string, options?: RequestOptions): Promise<readonly string[]> {
    return (await this.#requester.call(methods.UserGet, { name }, 'read', options)).roles;
  }

  async list(options?: RequestOptions): Promise<readonly string[]> {
    return (await this.#requester.call(methods.UserList, {}, 'read', options)).users;
  }

  async delete(name: string, options?: RequestOptions): Promise<void> {
    await this.#write(methods.UserDelete, { name }, options);
  }

  async changePassword(name: string, password: string, options?: RequestOptions): Promise<void> {
    await this.#write(methods.UserChangePassword, { name, password, hashedPassword: '' }, options);
  }

  async grantRole(name: string, role: string, options?: RequestOptions): Promise<void> {
    await this.#write(methods.UserGrantRole, { user: name, role }, options);
  }

  async revokeRole(name: string, role: string, options?: RequestOptions): Promise<void> {
    await this.#write(methods.UserRevokeRole, { name, role }, options);
  }

  async #write<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    options: RequestOptions | undefined,
  ): Promise<void> {
    await this.#requester.call(method, request, 'write', options);
  }
}

export class Roles {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  async add(name: string, options?: RequestOptions): Promise<void> {
    await this.#requester.call(methods.RoleAdd, { name }, 'write', options);
  }

  async permissionsOf(role: string, options?: RequestOptions): Promise<readonly RolePermission[]> {
    const response = await this.#requester.call(methods.RoleGet, { role }, 'read', options);
    return response.perm.map(({ permType, key, rangeEnd }) => ({
      access: accessNames[permType] ?? 'read',
      key,
      rangeEnd,
    }));
  }

  async list(options?: RequestOptions): Promise<readonly string[]> {
    return (await this.#requester.call(methods.RoleList, {}, 'read', options)).roles;
  }

  async delete(role: string, options?: RequestOptions): Promise<void> {
    await this.#requester.call(methods.RoleDelete, { role }, 'write', options);
  }

  async grant(role: string, keys: KeyOrSpan, access: Access, options?: RequestOptions): Promise<void> {
    const permType = accessNames.indexOf(access);
    const perm = Permission.create({ ...keyRange(keys), permType });
    await this.#requester.call(methods.RoleGrantPermission, { name: role, perm }, 'write', options);
  }

  async revoke(role: string, keys: KeyOrSpan, options?: RequestOptions): Promise<void> {
    const request = { role, ...keyRange(keys) };
    await this.#requester.call(methods.RoleRevokePermission, request, 'write', options);
  }
}

/** By etcd's number. */
const accessNames: readonly Access[] = ['read', 'write', 'readwrite'];
