import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configurationOf } from './configuration.ts';
import { coreLimits, maxRemovedIds } from './limits.ts';
import { applyChange, changeSimply, enterJoint, leaveJoint, reusedId } from './membership.ts';
import type { ChangeResult } from './membership.ts';
import { decodeMembershipChange, encodeMembershipChange, leaveJointChange } from './membership-codec.ts';
import type {
  Configuration,
  MembershipChange,
  MembershipOperation,
  MembershipStep,
  NodeId,
} from './types.ts';

const noContext = new Uint8Array(0);

const operations: Readonly<Record<string, MembershipOperation>> = {
  v: 'add-voter',
  l: 'add-learner',
  r: 'remove',
  u: 'update',
};

/** `v1 l2 r3 u4` */
function steps(text: string): MembershipStep[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({
      operation: operations[word[0] as string] as MembershipOperation,
      id: Number(word.slice(1)) as NodeId,
    }));
}

function change(text: string, transition: MembershipChange['transition'] = 'auto'): MembershipChange {
  return { steps: steps(text), transition, context: noContext };
}

function reached(result: ChangeResult): Configuration {
  if (!result.ok) throw new Error(result.problem);
  return result.configuration;
}

function problem(result: ChangeResult): string {
  return result.ok ? 'none' : result.problem;
}

describe('simple changes', () => {
  it('move one voter at most', () => {
    expect(reached(changeSimply(configurationOf([1]), steps('v2 l3')))).toMatchObject({
      voters: [1, 2],
      learners: [3],
    });
    const three = configurationOf([1, 2], [3]);
    expect(problem(changeSimply(three, steps('r1 v5')))).toBe('several-voters-change');
    expect(problem(changeSimply(three, steps('v3 v4')))).toBe('several-voters-change');
    expect(problem(changeSimply(three, steps('r1 r2')))).toBe('removes-all-voters');
    expect(problem(changeSimply(configurationOf([]), steps('l1')))).toBe('removes-all-voters');
  });

  it('are refused while the configuration is joint', () => {
    const joint = reached(enterJoint(configurationOf([1]), steps('v2'), true));
    expect(problem(changeSimply(joint, steps('l9')))).toBe('already-joint');
  });

  it('promote, demote and skip id 0', () => {
    const demoted = reached(changeSimply(configurationOf([1, 2, 3]), steps('l2')));
    expect(demoted).toMatchObject({ voters: [1, 3], learners: [2], removed: [] });
    expect(reached(changeSimply(demoted, steps('v2 r0 v0')))).toMatchObject({
      voters: [1, 2, 3],
      learners: [],
    });
  });
});

describe('joint changes', () => {
  it('keep a demoted voter a voter until the joint configuration is left', () => {
    const joint = reached(enterJoint(configurationOf([1]), steps('v2 l1'), false));
    expect(joint).toMatchObject({ voters: [2], votersOutgoing: [1], learners: [], learnersNext: [1] });
    expect(reached(leaveJoint(joint))).toMatchObject({
      voters: [2],
      votersOutgoing: [],
      learners: [1],
      learnersNext: [],
    });
  });

  it('are entered once, and left once', () => {
    expect(problem(leaveJoint(configurationOf([1])))).toBe('not-joint');
    expect(problem(enterJoint(configurationOf([]), steps('v1'), false))).toBe('no-voters');
    const joint = reached(enterJoint(configurationOf([1]), [], true));
    expect(joint).toMatchObject({ voters: [1], votersOutgoing: [1], autoLeave: true });
    expect(problem(enterJoint(joint, steps('v12'), false))).toBe('already-joint');
  });

  it('are idempotent step by step', () => {
    const joint = reached(
      enterJoint(configurationOf([1]), steps('r1 r2 r9 v2 v3 v4 v2 v3 v4 l2 l2 r4 r4 l1 l1'), false),
    );
    expect(joint).toMatchObject({ voters: [3], votersOutgoing: [1], learners: [2], learnersNext: [1] });
  });

  it('are what several steps, or a named transition, ask for', () => {
    const three = configurationOf([1, 2, 3]);
    expect(reached(applyChange(three, change('v4')))).toMatchObject({ votersOutgoing: [] });
    expect(reached(applyChange(three, change('l4 l5')))).toMatchObject({
      votersOutgoing: [1, 2, 3],
      autoLeave: true,
    });
    expect(reached(applyChange(three, change('v4', 'implicit')))).toMatchObject({ autoLeave: true });
    expect(reached(applyChange(three, change('v4', 'explicit')))).toMatchObject({
      votersOutgoing: [1, 2, 3],
      autoLeave: false,
    });
    expect(problem(applyChange(three, change('')))).toBe('not-joint');
  });
});

describe('removed ids', () => {
  it('are remembered from the moment that they are in neither half', () => {
    const joint = reached(applyChange(configurationOf([1, 2, 3], [4]), change('r1 r4')));
    expect(joint.removed).toEqual([4]);
    const left = reached(leaveJoint(joint));
    expect(left.removed).toEqual([4, 1]);
    expect(reusedId(left, change('l1'))).toBe(1);
    expect(reusedId(left, change('r1 u4'))).toBeNull();
  });

  it('are forgotten when they come back, and beyond the bound', () => {
    const without = reached(changeSimply(configurationOf([1, 2]), steps('r2')));
    expect(reached(changeSimply(without, steps('v2'))).removed).toEqual([]);
    const removed = Array.from({ length: maxRemovedIds }, (_, i) => (i + 10) as NodeId);
    const full = reached(changeSimply({ ...configurationOf([1, 2]), removed }, steps('r2')));
    expect(full.removed.length).toBe(maxRemovedIds);
    expect(full.removed.at(-1)).toBe(2);
    expect(full.removed[0]).toBe(11);
  });
});

const someSteps = fc.array(
  fc.record({
    operation: fc.constantFrom<MembershipOperation>('add-voter', 'add-learner', 'remove', 'update'),
    id: fc.integer({ min: 0, max: 6 }).map((id) => id as NodeId),
  }),
  { maxLength: 12 },
);

describe('changes of every shape', () => {
  /** Each on its own; one that would leave no voter is left out. */
  function oneByOne(
    from: Configuration,
    all: readonly MembershipStep[],
  ): { to: Configuration; taken: MembershipStep[] } {
    let to = from;
    const taken: MembershipStep[] = [];
    for (const step of all) {
      const result = changeSimply(to, [step]);
      if (!result.ok) continue;
      to = result.configuration;
      taken.push(step);
    }
    return { to, taken };
  }

  it('lead to one configuration, taken one by one or at once', () => {
    fc.assert(
      fc.property(someSteps, someSteps, (setup, all) => {
        const from = oneByOne(configurationOf([1]), setup).to;
        const { to, taken } = oneByOne(from, all);
        const { removed: _, ...atOnce } = reached(leaveJoint(reached(enterJoint(from, taken, true))));
        const { removed: __, ...inTurn } = to;
        expect(atOnce).toEqual(inTurn);
      }),
      { numRuns: 1_000 },
    );
  });

  it('keep the sets apart: a learner votes in no half, who learns next is outgoing, and who is removed is no member', () => {
    fc.assert(
      fc.property(someSteps, someSteps, (setup, all) => {
        const from = oneByOne(configurationOf([1]), setup).to;
        const result = enterJoint(from, all, true);
        if (!result.ok) return;
        for (const configuration of [result.configuration, reached(leaveJoint(result.configuration))]) {
          const { voters, votersOutgoing, learners, learnersNext, removed } = configuration;
          expect(learners.filter((id) => voters.includes(id) || votersOutgoing.includes(id))).toEqual([]);
          expect(learnersNext.filter((id) => !votersOutgoing.includes(id) || voters.includes(id))).toEqual(
            [],
          );
          const members = [...voters, ...votersOutgoing, ...learners];
          expect(removed.filter((id) => members.includes(id))).toEqual([]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('survive encoding', () => {
    const changes = fc.record({
      steps: someSteps,
      transition: fc.constantFrom<MembershipChange['transition']>('auto', 'implicit', 'explicit'),
      context: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(changes, (original) => {
        expect(decodeMembershipChange(encodeMembershipChange(original))).toEqual(original);
      }),
    );
  });

  it('are refused when damaged, and never read beyond their bounds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeMembershipChange(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'FLOTILLA_MEMBERSHIP_INVALID' });
        }
      }),
    );
  });

  it('are bounded in steps, context and ids', () => {
    const code = { code: 'FLOTILLA_MEMBERSHIP_INVALID' };
    const step: MembershipStep = { operation: 'add-learner', id: 1 as NodeId };
    const many = Array.from({ length: coreLimits.maxMembershipSteps + 1 }, () => step);
    const large = new Uint8Array(coreLimits.maxMembershipContextBytes + 1);
    expect(() => encodeMembershipChange({ ...leaveJointChange, steps: many })).toThrow(
      expect.objectContaining(code),
    );
    expect(() => encodeMembershipChange({ ...leaveJointChange, context: large })).toThrow(
      expect.objectContaining(code),
    );
    expect(() => encodeMembershipChange(change('v0.5'))).toThrow(expect.objectContaining(code));
    const newer = encodeMembershipChange(leaveJointChange);
    newer[0] = 2;
    expect(() => decodeMembershipChange(newer)).toThrow(expect.objectContaining(code));
  });
});
