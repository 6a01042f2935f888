import type { SimNode } from '@flotilla/sim';
import type { MemberNode } from './member-node.ts';

/** Which member leads; −1: none. One that stands still may believe that it leads. */
export function leaderIndex(nodes: readonly SimNode[], members: readonly MemberNode[]): number {
  return members.findIndex(({ member }, i) => {
    const node = nodes[i] as SimNode;
    return node.running && !node.paused && member?.group.status().role === 'leader';
  });
}
