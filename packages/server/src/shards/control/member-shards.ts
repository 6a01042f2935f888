import type { Platform } from '@flotilla/platform';
import type { Group } from '@flotilla/raft';
import type { Method } from '@flotilla/wire';
import type { HttpEndpoint } from '../../api/http.ts';
import { type ShardApiBackend, shardMethods } from '../../api/shards.ts';
import type { Metric, Sample } from '../../metrics/registry.ts';
import { ClusterAdministration } from './cluster-administration.ts';
import { controlSettings } from './control-settings.ts';
import { ShardControl } from './controller.ts';
import type { NodeName } from './listings.ts';
import type { ControlNode, LocalShards } from './local-shards.ts';
import { type LeadingReplicas, NodeLocalShards } from './node-local-shards.ts';
import { replicaMetrics } from './replica-metrics.ts';
import { shardMetrics } from './shard-metrics.ts';
import { answerControl } from './shard-reports.ts';
import { shardsEndpoint } from './shards-endpoint.ts';

export interface MemberShardsParts {
  readonly platform: Platform;
  readonly node: ControlNode & LeadingReplicas;
  /** Group 0. */
  readonly group: Pick<Group<unknown>, 'status' | 'transferLeadership'>;
  readonly backend: ShardApiBackend;
  readonly members: () => readonly (NodeName & { readonly nodeId: number })[];
  readonly space: () => LocalShards['space'];
  /** A silent node counts as lost after so long. */
  readonly nodeLostAfterMs: number;
  /** How many requests clients had for shards. */
  readonly requests: () => Iterable<Sample>;
  /** Whether every member knows what an order is. */
  readonly isUnderstood: () => boolean;
  /** Whether somebody without a user may ask: auth is off. */
  readonly isOpen: () => boolean;
}

/** What a member does about shards beside serving their keys: the control of them, and all that operators ask. */
export class MemberShards {
  readonly methods: readonly Method[];
  readonly endpoint: HttpEndpoint;
  readonly metrics: readonly Metric[];
  readonly #control: ShardControl;

  constructor(parts: MemberShardsParts) {
    const { platform, node, group, space, members, backend, isUnderstood, isOpen } = parts;
    const local = new NodeLocalShards({ shards: node, group, space });
    answerControl(platform, node, local);
    const settings = controlSettings(parts.nodeLostAfterMs);
    const leads = (): boolean => group.status().role === 'leader';
    this.#control = new ShardControl({ platform, node, leads, settings });
    const administration = new ClusterAdministration({
      platform,
      node,
      members: () => members().map(({ nodeId, name, memberId }) => ({ node: nodeId, name, memberId })),
      isUnderstood,
      settings,
    });
    this.methods = shardMethods(backend, administration);
    this.endpoint = shardsEndpoint(administration, isOpen);
    this.metrics = [
      ...shardMetrics({ node, local, control: this.#control, requests: parts.requests }),
      ...replicaMetrics({ platform, node }),
    ];
  }

  stop(): void {
    this.#control.stop();
  }
}
