import { expect, it } from 'vitest';
import { type MembershipView, membershipStep } from './membership-plan.ts';

function view(
  over: Partial<MembershipView> & { readonly members?: Partial<MembershipView['configuration']> },
): MembershipView {
  const { members = {}, ...rest } = over;
  return {
    self: 1,
    configuration: { voters: [1, 2, 3], votersOutgoing: [], learners: [], ...members },
    wanted: [1, 2, 4],
    draining: false,
    isLive: () => true,
    ...rest,
  };
}

it('a newcomer learns first, and takes the place of who goes in one change', () => {
  expect(membershipStep(view({}))).toEqual({ kind: 'add-learner', node: 4 });
  const learning = membershipStep(view({ members: { learners: [4] } }));
  expect(learning).toEqual({ kind: 'promote', nodes: [4], removes: [3] });
  expect(membershipStep(view({ members: { voters: [1, 2, 4], votersOutgoing: [1, 2, 3] } }))).toEqual({
    kind: 'leave-joint',
  });
  expect(membershipStep(view({ members: { voters: [1, 2, 4] } }))).toBeNull();
});

it('a learner that nobody wants any more goes', () => {
  expect(membershipStep(view({ wanted: [1, 2, 3], members: { learners: [4] } }))).toEqual({
    kind: 'remove',
    node: 4,
  });
});

it('a leader that goes makes a newcomer vote first, hands over to one that stays, and is removed by it', () => {
  const members = { learners: [4] };
  expect(membershipStep(view({ self: 3, members }))).toEqual({ kind: 'promote', nodes: [4], removes: [] });
  const voters = [1, 2, 3, 4];
  expect(membershipStep(view({ self: 3, members: { voters } }))).toEqual({ kind: 'transfer-leader', to: 1 });
  const heir = view({ self: 1, members: { voters } });
  expect(membershipStep(heir)).toEqual({ kind: 'promote', nodes: [], removes: [3] });
  const alone = view({ self: 1, wanted: [4], members: { voters: [1], learners: [4] } });
  expect(membershipStep(alone)).toEqual({ kind: 'promote', nodes: [4], removes: [] });
});

it('nothing is done while it drains, with newcomers that are silent, or without a majority that lives', () => {
  expect(membershipStep(view({ draining: true }))).toBeNull();
  expect(membershipStep(view({ wanted: null }))).toBeNull();
  expect(membershipStep(view({ isLive: (node) => node !== 4 }))).toBeNull();
  const few = view({
    wanted: [1, 2, 3, 4, 5],
    members: { voters: [1, 2, 3, 4, 5, 6] },
    isLive: (node) => node < 3,
  });
  expect(membershipStep(few)).toBeNull();
});
