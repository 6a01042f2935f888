import type { ConfigurationChange, ShardId } from '@flotilla/store';
import { placementLimits } from '../../placement/settings.ts';

/**
 * By shard: nodes that replicas were taken away from, the latest first, as the history of configurations has it. So a
 * controller that has just begun knows what those before it have moved, and does not bring it back. A node that has
 * joined again since is another one: it is to have its share.
 */
export function movedFromOf(
  changes: readonly ConfigurationChange[],
): ReadonlyMap<ShardId, readonly number[]> {
  const moved = new Map<ShardId, number[]>();
  const rejoined = new Set<number>();
  for (let i = changes.length - 1; i >= 0; i -= 1) {
    const { step, before, after } = changes[i] as ConfigurationChange;
    if (step.kind === 'node' && step.state === 'joined') rejoined.add(step.node);
    if (step.kind !== 'members') continue;
    let list = moved.get(step.shard);
    if (list === undefined) moved.set(step.shard, (list = []));
    const now = after[0]?.nodes ?? [];
    for (const node of before[0]?.nodes ?? []) {
      if (list.length >= placementLimits.movesRemembered) break;
      if (!now.includes(node) && !list.includes(node) && !rejoined.has(node)) list.push(node);
    }
  }
  return moved;
}
