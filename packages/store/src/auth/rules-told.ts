import { unreachable } from '@flotilla/platform';
import type { Permission } from '@flotilla/wire';
import type { Auth } from './auth.ts';
import { type AuthChange, decodeAuthChange } from './auth-requests.ts';
import { ruleBytes } from './user-rules.ts';

/**
 * How much shards would be told because of a request of users and roles, in bytes, at most: {@link UserRules} have what
 * each user may do as a whole, so a change of a role says it anew of all who have that role. One entry of a log has all
 * of it.
 *
 * @example
 * if (rulesToldBytes(auth, request) > settings.maxRequestBytes) throw etcdErrors.requestTooLarge;
 */
export function rulesToldBytes(auth: Auth, request: Uint8Array): number {
  const change = decodeAuthChange(request);
  const comes = bytesOf(permissionsThatCome(auth, change));
  let bytes = 0;
  for (const name of usersOf(auth, change)) {
    const rule = auth.ruleOf(name);
    if (rule !== null) bytes += ruleBytes(rule) + comes;
  }
  return bytes;
}

function usersOf(auth: Auth, change: AuthChange): readonly string[] {
  switch (change.kind) {
    case 'RoleGrantPermission':
      return usersWith(auth, change.request.name);
    case 'RoleRevokePermission':
    case 'RoleDelete':
      return usersWith(auth, change.request.role);
    case 'UserGrantRole':
      return [change.request.user];
    case 'AuthDisable':
    case 'AuthEnable':
    case 'RoleAdd':
    case 'UserAdd':
    case 'UserChangePassword':
    case 'UserDelete':
    case 'UserRevokeRole':
      // One user, with less than before, or nobody.
      return [];
    default:
      return unreachable(change);
  }
}

function usersWith(auth: Auth, role: string): readonly string[] {
  return auth.userNames.filter((name) => auth.user(name)?.roles.includes(role) === true);
}

function permissionsThatCome(auth: Auth, change: AuthChange): readonly Permission[] {
  if (change.kind === 'UserGrantRole') return auth.permissionsOf(change.request.role) ?? [];
  if (change.kind !== 'RoleGrantPermission' || change.request.perm === null) return [];
  return [change.request.perm];
}

function bytesOf(granted: readonly Permission[]): number {
  return ruleBytes({ name: '', isRoot: false, granted });
}
