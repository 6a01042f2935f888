import { type ClusterConfiguration, everyShard } from '@flotilla/store';
import type { Wishes } from './cluster-state.ts';

/** Of a shard without a number of its own, unless somebody has said otherwise. */
export const replicasUnlessSaid = 3;

export function wishesOf({ wishes, presplits }: Pick<ClusterConfiguration, 'wishes' | 'presplits'>): Wishes {
  const replicas = [...wishes.of('replicas')];
  return {
    replicas: wishes.get('replicas', everyShard)?.value ?? replicasUnlessSaid,
    replicasOf: new Map(replicas.flatMap(({ id, value }) => (id === everyShard ? [] : [[id, value]]))),
    kept: new Set([...wishes.of('kept')].map(({ id }) => id)),
    merges: new Map([...wishes.of('merge')].map(({ id, value }) => [id, value])),
    leaving: new Set([...wishes.of('leaving')].map(({ id }) => id)),
    presplits,
  };
}
