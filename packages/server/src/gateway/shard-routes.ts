import { Nodes, ShardController, Shards } from '@flotilla/wire';
import { type GatewayRoute, route } from './route.ts';

/** What a POST under `/flotilla/v1/` calls. */
export const shardRoutes: Readonly<Record<string, GatewayRoute>> = {
  'shards/begin': route(Shards.methods.Begin),
  'shards/list': route(Shards.methods.List),
  'shards/split': route(Shards.methods.Split),
  'shards/merge': route(Shards.methods.Merge),
  'shards/move-replica': route(Shards.methods.MoveReplica),
  'shards/transfer-leader': route(Shards.methods.TransferLeader),
  'shards/set-replicas': route(Shards.methods.SetReplicas),
  'shards/explain': route(Shards.methods.Explain),
  'shards/history': route(Shards.methods.History),
  'nodes/list': route(Nodes.methods.List),
  'nodes/join': route(Nodes.methods.Join),
  'nodes/leave': route(Nodes.methods.Leave),
  'nodes/drain': route(Nodes.methods.Drain),
  join: route(ShardController.methods.Join),
  leave: route(ShardController.methods.Leave),
  move: route(ShardController.methods.Move),
  query: route(ShardController.methods.Query),
};
