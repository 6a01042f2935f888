import { Auth, Cluster, Election, KV, Lease, Lock, Maintenance, Watch } from '@flotilla/wire';
import { type GatewayRoute, route } from './route.ts';
import { shardRoutes } from './shard-routes.ts';

/** Null: the path is none of the gateway's. Undefined: it looks like one, but leads nowhere. */
export function routeOf(path: string): GatewayRoute | null | undefined {
  if (path.startsWith(shardPrefix)) return shardRoutes[path.slice(shardPrefix.length)];
  const prefix = prefixes.find((candidate) => path.startsWith(candidate));
  if (prefix === undefined) return null;
  const name = path.slice(prefix.length);
  return Object.hasOwn(routes, name) ? routes[name] : undefined;
}

const shardPrefix = '/flotilla/v1/';
/** The older two are what clients of etcd 3.2 and 3.3 ask for; python3-etcd3gw still does unless it is told otherwise. */
const prefixes = ['/v3/', '/v3beta/', '/v3alpha/'] as const;

const routes: Readonly<Record<string, GatewayRoute>> = {
  'kv/range': route(KV.methods.Range),
  'kv/put': route(KV.methods.Put),
  'kv/deleterange': route(KV.methods.DeleteRange),
  'kv/txn': route(KV.methods.Txn),
  'kv/compaction': route(KV.methods.Compact),

  watch: route(Watch.methods.Watch),

  'lease/grant': route(Lease.methods.LeaseGrant),
  'lease/revoke': route(Lease.methods.LeaseRevoke),
  'lease/keepalive': route(Lease.methods.LeaseKeepAlive),
  'lease/timetolive': route(Lease.methods.LeaseTimeToLive),
  'lease/leases': route(Lease.methods.LeaseLeases),
  'kv/lease/revoke': route(Lease.methods.LeaseRevoke),
  'kv/lease/timetolive': route(Lease.methods.LeaseTimeToLive),
  'kv/lease/leases': route(Lease.methods.LeaseLeases),

  'cluster/member/add': route(Cluster.methods.MemberAdd),
  'cluster/member/remove': route(Cluster.methods.MemberRemove),
  'cluster/member/update': route(Cluster.methods.MemberUpdate),
  'cluster/member/list': route(Cluster.methods.MemberList),
  'cluster/member/promote': route(Cluster.methods.MemberPromote),

  'maintenance/alarm': route(Maintenance.methods.Alarm),
  'maintenance/status': route(Maintenance.methods.Status),
  'maintenance/defragment': route(Maintenance.methods.Defragment),
  'maintenance/hash': route(Maintenance.methods.Hash),
  'maintenance/hashkv': route(Maintenance.methods.HashKV),
  'maintenance/snapshot': route(Maintenance.methods.Snapshot),
  'maintenance/transfer-leadership': route(Maintenance.methods.MoveLeader),
  'maintenance/downgrade': route(Maintenance.methods.Downgrade),

  'auth/enable': route(Auth.methods.AuthEnable),
  'auth/disable': route(Auth.methods.AuthDisable),
  'auth/status': route(Auth.methods.AuthStatus),
  'auth/authenticate': route(Auth.methods.Authenticate),
  'auth/user/add': route(Auth.methods.UserAdd),
  'auth/user/get': route(Auth.methods.UserGet),
  'auth/user/list': route(Auth.methods.UserList),
  'auth/user/delete': route(Auth.methods.UserDelete),
  'auth/user/changepw': route(Auth.methods.UserChangePassword),
  'auth/user/grant': route(Auth.methods.UserGrantRole),
  'auth/user/revoke': route(Auth.methods.UserRevokeRole),
  'auth/role/add': route(Auth.methods.RoleAdd),
  'auth/role/get': route(Auth.methods.RoleGet),
  'auth/role/list': route(Auth.methods.RoleList),
  'auth/role/delete': route(Auth.methods.RoleDelete),
  'auth/role/grant': route(Auth.methods.RoleGrantPermission),
  'auth/role/revoke': route(Auth.methods.RoleRevokePermission),

  'lock/lock': route(Lock.methods.Lock),
  'lock/unlock': route(Lock.methods.Unlock),

  'election/campaign': route(Election.methods.Campaign),
  'election/proclaim': route(Election.methods.Proclaim),
  'election/leader': route(Election.methods.Leader),
  'election/observe': route(Election.methods.Observe),
  'election/resign': route(Election.methods.Resign),
};
