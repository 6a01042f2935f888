import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import {
  Auth,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  etcdErrors,
  KV,
  type MethodDescriptor,
  PermissionType,
  PutRequest,
  RpcError,
} from '@flotilla/wire';
import { bytesOf, revisionOf } from '../cluster/etcd-messages.ts';
import { Caller, isLost, pause, type SimUser } from './auth-calls.ts';

/**
 * A time in which a user may do nothing. What forbids was acknowledged before the first revision was asked for, what
 * allows again was asked for after the second one: whatever lies between them is forbidden for sure.
 */
export interface ForbiddenTime {
  readonly user: string;
  readonly from: number;
  readonly to: number;
}

export interface AuthAdminOptions {
  readonly world: World;
  readonly users: readonly SimUser[];
  readonly memberNames: readonly string[];
  readonly goesOn: () => boolean;
}

/** The value of the administrator's mark in a user's range while the user may not see it. */
export const forbiddenMark = 'forbidden';

/** The user root: turns auth on, then forbids users what they were allowed, one way or another, and allows it again. */
export class AuthAdmin {
  readonly forbidden: ForbiddenTime[] = [];
  /** Users have what they need. */
  ready = false;
  finished = false;
  readonly #options: AuthAdminOptions;
  #platform!: Platform;
  #caller!: Caller;
  /** A session belongs to the user who began it: nobody at first, then root. */
  #session = 'setup';
  #requests = 0;

  constructor(options: AuthAdminOptions) {
    this.#options = options;
  }

  async main(platform: Platform): Promise<void> {
    const { world, users, memberNames, goesOn } = this.#options;
    const root = { name: 'root', password: 'root' };
    this.#platform = platform;
    this.#caller = new Caller(platform, { world, memberNames, user: root });
    await this.#setUp(root);
    this.ready = true;
    while (goesOn()) {
      await pause(platform, 200 + 100 * world.tape.choose(16, 'until something is forbidden'));
      const user = users[world.tape.choose(users.length, 'user')] as SimUser;
      if (world.tape.chance(1, 6, 'new password')) await this.#changePassword(user);
      else await this.#forbidForAWhile(user);
    }
    this.#caller.close();
    this.finished = true;
  }

  async #setUp(root: SimUser): Promise<void> {
    const { users } = this.#options;
    for (const user of [root, ...users]) await this.#addUser(user);
    await this.#ensure(Auth.methods.UserGrantRole, { user: 'root', role: 'root' });
    for (const user of users) await this.#addRole(user);
    await this.#ensure(Auth.methods.AuthEnable, {}, etcdErrors.userEmpty);
    this.#caller.forgetToken();
    this.#session = 'root';
    this.#requests = 0;
  }

  async #forbidForAWhile(user: SimUser): Promise<void> {
    const { world } = this.#options;
    const way = ways[world.tape.choose(ways.length, 'way to forbid')] as Way;
    await this.#forbid(user, way);
    const from = await this.#mark(user, forbiddenMark);
    await pause(this.#platform, 100 * world.tape.choose(16, 'for how long it is forbidden'));
    const to = await this.#mark(user, 'allowed');
    await this.#allow(user, way);
    this.forbidden.push({ user: user.name, from, to });
    world.coverage.count(`forbidden: ${way}`);
  }

  async #forbid(user: SimUser, way: Way): Promise<void> {
    const { name } = user;
    const { methods } = Auth;
    if (way === 'permission') {
      const { key, rangeEnd } = rangeOf(name);
      const request = { role: roleOf(name), key, rangeEnd };
      await this.#ensure(methods.RoleRevokePermission, request, etcdErrors.permissionNotGranted);
    } else if (way === 'role of user') {
      const request = { name, role: roleOf(name) };
      await this.#ensure(methods.UserRevokeRole, request, etcdErrors.roleNotGranted);
    } else if (way === 'role') {
      await this.#ensure(methods.RoleDelete, { role: roleOf(name) }, etcdErrors.roleNotFound);
    } else {
      await this.#ensure(methods.UserDelete, { name }, etcdErrors.userNotFound);
    }
  }

  async #allow(user: SimUser, way: Way): Promise<void> {
    if (way === 'user') await this.#addUser(user);
    await this.#addRole(user);
  }

  async #addUser({ name, password }: SimUser): Promise<void> {
    const request = AuthUserAddRequest.create({ name, password });
    await this.#ensure(Auth.methods.UserAdd, request, etcdErrors.userAlreadyExists);
  }

  async #addRole({ name }: SimUser): Promise<void> {
    const { methods } = Auth;
    const perm = { permType: PermissionType.READWRITE, ...rangeOf(name) };
    await this.#ensure(methods.RoleAdd, { name: roleOf(name) }, etcdErrors.roleAlreadyExists);
    const grant = AuthRoleGrantPermissionRequest.create({ name: roleOf(name), perm });
    await this.#ensure(methods.RoleGrantPermission, grant);
    await this.#ensure(methods.UserGrantRole, { user: name, role: roleOf(name) });
  }

  async #changePassword(user: SimUser): Promise<void> {
    const password = `${user.password}+`;
    const request = AuthUserChangePasswordRequest.create({ name: user.name, password });
    await this.#ensure(Auth.methods.UserChangePassword, request);
    user.password = password;
    this.#options.world.coverage.count('password changed');
  }

  /** Answers the revision of a put into the user's range. */
  async #mark({ name }: SimUser, value: string): Promise<number> {
    const request = PutRequest.create({ key: bytesOf(`${name}/mark`), value: bytesOf(value) });
    return revisionOf((await this.#ensure(KV.methods.Put, request))?.header ?? null);
  }

  /**
   * Asks until it is done. With a session, since a first try that was given up may come late, and would undo what came
   * after it. `done`: what is answered when it was done already.
   */
  async #ensure<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    done: RpcError | null = null,
  ): Promise<Response | null> {
    this.#requests += 1;
    const session = {
      'flotilla-session': this.#session,
      'flotilla-request': String(this.#requests),
      'flotilla-done': String(this.#requests - 1),
    };
    for (;;) {
      try {
        return await this.#caller.call(method, request, session);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (done !== null && error.message === done.message) return null;
        if (!isLost(error) && !expected.some(({ message }) => message === error.message)) {
          this.#options.world.violate('administrator refused', `${method.path}: ${error.message}`);
        }
        await pause(this.#platform, 100);
      }
    }
  }
}

/** How something that was allowed is forbidden. */
type Way = (typeof ways)[number];
const ways = ['permission', 'role of user', 'role', 'user'] as const;

/** Tokens are forgotten by members that start again; users change while one authenticates. */
const expected = [etcdErrors.invalidAuthToken, etcdErrors.authOldRevision, etcdErrors.notCapable];

function roleOf(user: string): string {
  return `role of ${user}`;
}

/** The keys that begin with the user's name and a slash. */
export function rangeOf(user: string): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  return { key: bytesOf(`${user}/`), rangeEnd: bytesOf(`${user}0`) };
}
