import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/configuration.ts';
import type { Configuration, NodeId } from '../core/types.ts';
import { planMembership } from './membership-plan.ts';
import type { MemberChange, MembershipPlan } from './membership-plan.ts';

const group = { ...configurationOf([1, 2, 3], [4]), removed: [9 as NodeId] };
const at = (id: number): string => `10.0.0.${id}:7000`;

function plan(changes: readonly MemberChange[], configuration: Configuration = group): MembershipPlan {
  return planMembership(configuration, (id) => ({ host: `10.0.0.${id}`, port: 7000 }), changes);
}

/** The plan in short: `+1` a voter comes, `~1` a learner, `-1` somebody goes, `=1` has moved. */
function steps(changes: readonly MemberChange[], configuration: Configuration = group): string {
  const next = plan(changes, configuration);
  if (next.kind !== 'change') return next.kind;
  const signs = { 'add-voter': '+', 'add-learner': '~', remove: '-', update: '=' };
  return next.steps.map(({ operation, id }) => `${signs[operation]}${id}`).join(' ');
}

describe('a plan', () => {
  it('has newcomers learn before anybody votes', () => {
    const wish: MemberChange[] = [{ add: { id: 5, address: at(5) } }, { remove: 1 }];
    const first = plan(wish);
    expect(first).toMatchObject({
      kind: 'change',
      departing: [],
      steps: [{ operation: 'add-learner', id: 5 }],
    });
    expect(first.kind === 'change' && first.addresses.get(5 as NodeId)).toEqual({
      host: '10.0.0.5',
      port: 7000,
    });
    const learning = { ...group, learners: [4, 5] as NodeId[] };
    expect(steps(wish, learning)).toBe('+5 -1');
    expect(plan(wish, learning)).toMatchObject({ departing: [1] });
    const done = { ...group, voters: [2, 3, 5] as NodeId[], removed: [9, 1] as NodeId[] };
    expect(steps(wish, done)).toBe('done');
  });

  it('takes one step for each wish, and none for what is so already', () => {
    expect(steps([{ promote: 4 }])).toBe('+4');
    expect(steps([{ add: { id: 4, address: at(4) } }])).toBe('+4');
    expect(steps([{ demote: 3 }])).toBe('~3');
    expect(steps([{ remove: 4 }])).toBe('-4');
    expect(steps([{ update: { id: 2, address: 'elsewhere:1' } }])).toBe('=2');
    expect(steps([{ replace: { id: 2, by: { id: 4, address: at(4) } } }])).toBe('-2 +4');
    expect(
      steps([{ addLearner: { id: 6, address: at(6) } }, { addLearner: { id: 7, address: at(7) } }]),
    ).toBe('~6 ~7');
    for (const change of [
      { promote: 1 },
      { demote: 4 },
      { remove: 9 },
      { add: { id: 1, address: at(1) } },
      { addLearner: { id: 4, address: at(4) } },
      { update: { id: 2, address: at(2) } },
    ]) {
      expect(steps([change]), JSON.stringify(change)).toBe('done');
    }
  });

  it('waits for the end of a joint configuration', () => {
    const joint = { ...group, votersOutgoing: [1, 2] as NodeId[] };
    expect(steps([{ promote: 4 }], joint)).toBe('wait');
  });

  it('is refused for what can never be', () => {
    const code = (changes: readonly MemberChange[]): unknown => {
      try {
        return plan(changes);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    for (const changes of [
      [{ remove: 7 }],
      [{ promote: 7 }],
      [{ update: { id: 7, address: at(7) } }],
      [{ remove: 0 }],
      [{ remove: 1.5 }],
      [{ remove: 1 }, { demote: 1 }],
      [{ remove: 1 }, { remove: 2 }, { demote: 3 }],
      [{ addLearner: { id: 1, address: at(1) } }],
      [{ add: { id: 1, address: at(2) } }],
      [{ ad: { id: 5, address: at(5) } } as unknown as MemberChange],
    ]) {
      expect(code(changes), JSON.stringify(changes)).toBe('FLOTILLA_MEMBERSHIP_INVALID');
    }
    expect(code([{ add: { id: 9, address: at(9) } }])).toBe('FLOTILLA_MEMBERSHIP_ID_REUSED');
    expect(code([{ add: { id: 5, address: 'nowhere' } }])).toBe('FLOTILLA_CONFIG_INVALID');
  });
});
