import { describe, expect, it } from 'vitest';
import { encodeMembershipChange } from '../core/membership-codec.ts';
import type { Index, Input, MembershipChange, NodeId, RaftCore, Ref, Term } from '../core/types.ts';
import { hostLimits } from './limits.ts';
import { MembershipChanges } from './membership-changes.ts';

const leader = 2 as NodeId;

/** Steps what waits, and says that it left for the leader's ninth life in its message number `forward`. */
function forward(changes: MembershipChanges, forward: number): MembershipChange | null {
  let stepped: Extract<Input, { type: 'change-membership' }> | null = null;
  const core = {
    step: (input: Input) => {
      if (input.type === 'change-membership') stepped = input;
    },
  };
  changes.step(core as unknown as RaftCore, () => forward as Ref);
  if (stepped === null) return null;
  const { ref, change } = stepped as Extract<Input, { type: 'change-membership' }>;
  changes.accepted(ref, 3 as Term, 0 as Index);
  changes.forwarded(encodeMembershipChange(change), leader, 9, forward);
  return change;
}

describe('MembershipChanges', () => {
  it('makes a change again that never arrived, and none that the leader has not counted', () => {
    const changes = new MembershipChanges(1 as NodeId, 7, hostLimits);
    const wish: MembershipChange = {
      steps: [{ operation: 'add-learner', id: 4 as NodeId }],
      transition: 'auto',
      context: new Uint8Array(0),
    };
    void changes.add(wish, 1000);
    expect(forward(changes, 5)).toMatchObject({ steps: wish.steps });
    changes.reconnected(leader, 9, 5);
    expect(forward(changes, 6), 'it has arrived').toBe(null);
    changes.reconnected(leader, 9, 4);
    expect(forward(changes, 5), 'it has not').toMatchObject({ steps: wish.steps });
    changes.reconnected(leader, 9, null);
    changes.reconnected(leader, 9, 0);
    changes.refusedByLeader(leader, 9, 5, 1, 'no-leader');
    changes.resume();
    expect(forward(changes, 1), 'it may have').toBe(null);
    changes.termApplied(4 as Term);
    expect(forward(changes, 1), 'it is lost').toMatchObject({ steps: wish.steps });
  });
});
