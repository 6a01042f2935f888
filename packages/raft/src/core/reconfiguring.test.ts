import { describe, expect, it } from 'vitest';
import { Script } from '../../simulation/core/script.ts';
import { emptyConfiguration } from './configuration.ts';
import { decodeMembershipChange } from './membership-codec.ts';
import type { CoreConfig, Index, NodeId, Ref, Term } from './types.ts';

const node = (id: number): NodeId => id as NodeId;

function reason(script: Script, ref: Ref): string {
  const settlement = script.settlement(ref);
  return settlement?.type === 'refused' ? settlement.reason : (settlement?.type ?? 'none');
}

function led(members: number, config: Partial<CoreConfig> = {}): Script {
  const script = new Script(members, config);
  script.elect(1);
  return script;
}

describe('a change of members', () => {
  it('is in force when its entry is applied, everywhere', () => {
    const script = led(3);
    script.join(4);
    script.change(1, 'l4');
    expect(script.view(1).configuration.learners).toEqual([]);
    script.settle();
    for (const id of [1, 2, 3, 4]) expect(script.view(id).configuration.learners).toEqual([4]);
    script.change(1, 'v4');
    script.settle();
    expect(script.view(4).configuration).toMatchObject({ voters: [1, 2, 3, 4], learners: [] });
    expect(script.view(1).progress.get(node(4))).toMatchObject({ state: 'replicate', learner: false });
  });

  it('is forwarded by a follower, once, to the leader of the term that it names', () => {
    const script = led(3);
    script.join(4);
    const ref = script.change(2, 'l4');
    expect(reason(script, ref)).toBe('forwarded');
    const [message] = script.find({ type: 'propose' });
    if (message?.type !== 'propose') throw new Error('nothing is forwarded');
    expect([message.kind, decodeMembershipChange(message.payloads[0] as Uint8Array).steps]).toEqual([
      'membership',
      [{ operation: 'add-learner', id: 4 }],
    ]);
    script.settle();
    expect(script.view(2).configuration.learners).toEqual([4]);
  });

  it('is refused with a reason', () => {
    const script = new Script(3);
    expect(reason(script, script.change(1, 'l4'))).toBe('no-leader');
    script.campaign(1);
    script.deliver({ type: 'vote' });
    script.deliver({ type: 'vote-response' });
    expect(script.view(1).role).toBe('leader');
    expect(reason(script, script.change(1, 'l4'))).toBe('term-not-committed');
    script.settle();
    expect(reason(script, script.change(1, 'r9'))).toBe('invalid-change');
    expect(reason(script, script.change(1, 'r1 r2 r3'))).toBe('invalid-change');
    expect(reason(script, script.change(1, ''))).toBe('invalid-change');
    expect(reason(script, script.change(1, 'v0'))).toBe('invalid-change');
    expect(reason(script, script.change(1, 'r3'))).toBe('appended');
    expect(reason(script, script.change(1, 'l4'))).toBe('change-pending');
    script.settle();
    expect(reason(script, script.change(1, 'v3'))).toBe('id-reused');
    script.step(1, { type: 'transfer', to: node(2) });
    expect(reason(script, script.change(1, 'l4'))).toBe('transferring');
  });

  it('is judged by the state machine of the leader when every change before it is applied, and not sooner', () => {
    const asked: string[] = [];
    const admitsChange: CoreConfig['admitsChange'] = ({ steps }) => {
      asked.push(steps.map(({ operation, id }) => `${operation} ${id}`).join());
      return steps.every(({ id }) => id !== 5);
    };
    const script = led(3, { admitsChange });
    script.join(4);
    script.settle();
    script.change(1, 'l4');
    expect(reason(script, script.change(1, 'l5'))).toBe('change-pending');
    expect(asked).toEqual(['add-learner 4']);
    script.settle();
    expect(reason(script, script.change(1, 'l5'))).toBe('invalid-change');
    script.change(2, 'l5');
    script.settle();
    expect(asked).toEqual(['add-learner 4', 'add-learner 5', 'add-learner 5']);
    expect(script.view(1).configuration.learners).toEqual([4]);
  });

  it('waits for the end of an explicit joint configuration', () => {
    const script = led(3);
    script.join(4);
    script.change(1, 'v4', 'explicit');
    script.settle();
    expect(script.view(1).configuration).toMatchObject({ voters: [1, 2, 3, 4], votersOutgoing: [1, 2, 3] });
    expect(reason(script, script.change(1, 'l5'))).toBe('change-pending');
    script.change(1, '');
    script.settle();
    expect(script.view(1).configuration).toMatchObject({ voters: [1, 2, 3, 4], votersOutgoing: [] });
  });

  it('promotes no learner that is far behind, or that nothing was heard of', () => {
    const script = led(1, { maxPromotionLagEntries: 2 });
    script.join(2);
    script.change(1, 'l2');
    script.drop({ to: 2 });
    expect(reason(script, script.change(1, 'v2'))).toBe('learner-behind');
    script.step(1, { type: 'tick' });
    script.settle();
    for (const text of ['a', 'b', 'c']) script.propose(1, text);
    expect(reason(script, script.change(1, 'v2'))).toBe('learner-behind');
    script.settle();
    expect(reason(script, script.change(1, 'v2'))).toBe('appended');
  });

  it('of several voters is joint, and left by itself', () => {
    const script = led(3);
    for (const id of [4, 5]) script.join(id);
    script.change(1, 'v4 v5 r2 l3');
    script.settle();
    for (const id of [1, 3, 4, 5]) {
      expect(script.view(id).configuration).toMatchObject({
        voters: [1, 4, 5],
        votersOutgoing: [],
        learners: [3],
        removed: [2],
      });
    }
  });

  it('that removes voters may commit what only the others have', () => {
    const script = led(3);
    script.change(1, 'r3');
    script.settle();
    script.propose(1, 'kept');
    script.deliver({ type: 'append' });
    script.change(1, 'r2');
    expect(script.view(1).commit).toBeLessThan(script.view(1).lastIndex);
    script.settle();
    expect(script.view(1).configuration.voters).toEqual([1]);
    expect(script.view(1).commit).toBe(script.view(1).lastIndex);
  });

  it('ends a transfer to a member that it removes', () => {
    const script = led(3);
    script.change(1, 'r3');
    script.step(1, { type: 'transfer', to: node(3) });
    script.drop({ to: 3 });
    script.settle();
    expect(reason(script, script.propose(1, 'a'))).toBe('appended');
  });

  it('leaves a joint configuration when the transfer that it waits for is taken back', () => {
    const script = led(3);
    script.join(4);
    script.change(1, 'v4 r3');
    script.step(1, { type: 'transfer', to: node(2) });
    script.deliver({ type: 'append' });
    script.deliver({ type: 'append-response' });
    expect(script.drop({ type: 'timeout-now' })).toBe(1);
    script.settle();
    expect(script.view(1).configuration).toMatchObject({ voters: [1, 2, 4], votersOutgoing: [1, 2, 3] });
    script.step(1, { type: 'transfer', to: node(1) });
    script.settle();
    expect(script.view(1).configuration).toMatchObject({ voters: [1, 2, 4], votersOutgoing: [] });
    expect(script.view(4).configuration).toMatchObject({ voters: [1, 2, 4], votersOutgoing: [] });
  });

  it('gives a member that comes again another session', () => {
    const script = led(3, { reusableIds: true });
    const before = script.view(1).progress.get(node(3))?.session;
    script.change(1, 'r3');
    script.settle();
    script.change(1, 'v3');
    script.settle();
    expect(script.view(1).progress.get(node(3))?.session).not.toBe(before);
    expect(script.view(1).configuration.removed).toEqual([]);
  });
});

describe('configurations', () => {
  it('are found again after a restart, from the entries of the log', () => {
    const script = led(3);
    script.change(1, 'l3');
    script.settle();
    script.change(1, 'r3');
    script.settle();
    const { applied } = script.view(2);
    script.crash(2);
    script.restart(2);
    expect(script.view(2).configuration).toMatchObject({ voters: [1, 2], removed: [3] });
    expect(script.view(2).configurationAt(applied)).toBe(script.view(2).configuration);
    expect(script.view(2).configurationAt((applied - 1) as typeof applied)?.learners).toEqual([3]);
    expect(script.view(2).configurationAt((applied + 1) as typeof applied)).toBeNull();
  });

  it('come with snapshots', () => {
    const script = led(1);
    script.join(2, emptyConfiguration);
    script.change(1, 'v2');
    script.settle();
    script.shipSnapshot();
    script.settle();
    expect(script.view(2).configuration.voters).toEqual([1, 2]);
    expect(script.view(1).commit).toBe(script.view(1).lastIndex);
  });

  it('before a snapshot are those of the entries that the log keeps, at every index', () => {
    const script = led(3);
    script.join(4);
    const before = script.view(1).applied;
    script.change(1, 'l4');
    script.propose(1, 'a');
    script.propose(1, 'b');
    // Member 3 has everything, and hears neither that it is committed nor of it again: a snapshot says so.
    script.deliver({ type: 'append' });
    script.settle({ to: 1 });
    script.drop({ to: 3 });
    const { applied, term } = script.view(1);
    expect([script.view(3).commit, script.view(3).lastIndex, applied - before]).toEqual([before, applied, 3]);
    const snapshot = { index: applied, term, configuration: script.view(1).configuration };
    script.inject({ type: 'install-snapshot', from: node(1), to: node(3), term, session: 0, snapshot });
    expect(script.view(3)).toMatchObject({ applied, commit: applied, firstIndex: 1 });
    for (let index: number = before; index <= applied; index += 1) {
      const learners = index === before ? [] : [4];
      expect(script.view(3).configurationAt(index as Index)?.learners, `at ${index}`).toEqual(learners);
    }
  });
});

describe('a member that cannot campaign', () => {
  it('of a later term is led again, without pre-vote and quorum checks too', () => {
    const script = led(1);
    script.join(2);
    script.change(1, 'l2');
    script.settle();
    const empty = { lastIndex: 0 as Index, lastTerm: 0 as Term };
    script.inject({ type: 'vote', from: node(1), to: node(2), term: 9 as Term, ...empty, forced: false });
    script.take({});
    expect(script.view(2).term).toBe(9);
    for (let tick = 0; tick < 60; tick += 1) {
      script.step(1, { type: 'tick' });
      script.settle();
    }
    script.propose(1, 'a');
    script.settle();
    expect(script.view(2)).toMatchObject({ leader: 1, commit: script.view(1).lastIndex });
  });

  it('gives up a leader of whom nothing is heard, and votes for another', () => {
    const script = new Script(3, { liveness: 'peers', checkQuorum: true, preVote: true, priority: 0 });
    script.elect(1);
    script.propose(1, 'a');
    script.settle();
    // The hosts of 2 and 3 have never heard that 1 lives, so nobody will tell them that it is silent.
    script.crash(1);
    expect([script.view(2).leader, script.wantsTicks(2), script.wantsTicks(3)]).toEqual([1, true, true]);
    for (let tick = 0; tick < 30; tick += 1) {
      for (const id of [2, 3]) if (script.wantsTicks(id)) script.step(id, { type: 'tick' });
    }
    expect([script.wantsTicks(2), script.wantsTicks(3)]).toEqual([false, false]);
    script.elect(3);
  });
});

describe('leadership', () => {
  it('is resigned to the best voter, and not taken back at once', () => {
    const script = led(3);
    script.step(1, { type: 'resign' });
    expect(script.view(1).role).toBe('follower');
    script.settle();
    expect(script.view(2).role).toBe('leader');
    script.step(2, { type: 'transfer', to: node(1) });
    script.settle();
    expect(script.view(1).role).toBe('follower');
    for (let tick = 0; tick < 10; tick += 1) script.step(1, { type: 'tick' });
    script.step(2, { type: 'transfer', to: node(1) });
    for (let tick = 0; tick < 10; tick += 1) {
      script.step(2, { type: 'tick' });
      script.settle();
    }
    script.step(2, { type: 'transfer', to: node(1) });
    script.settle();
    expect(script.view(1).role).toBe('leader');
  });

  it('goes to whoever is preferred and has caught up', () => {
    const script = new Script(3, {}, { 3: { priority: 200 } });
    script.elect(1);
    script.propose(1, 'a');
    script.settle();
    for (let tick = 0; tick < 12; tick += 1) {
      script.step(1, { type: 'tick' });
      script.settle();
    }
    expect(script.view(3).role).toBe('leader');
  });

  it('is not sought by a member of priority 0', () => {
    const script = new Script(3, { priority: 0 });
    for (let tick = 0; tick < 100; tick += 1) script.step(1, { type: 'tick' });
    expect(script.view(1)).toMatchObject({ role: 'follower', term: 0 });
    script.elect(1);
  });

  it('serves lease reads at once, from its first commit on and while it is not handed over', () => {
    const script = new Script(3);
    script.campaign(1);
    script.deliver({ type: 'vote' });
    script.deliver({ type: 'vote-response' });
    const early = script.read(1, 'lease');
    expect(script.settlement(early)).toBeUndefined();
    script.settle();
    expect(script.settlement(script.read(1, 'lease'))?.type).toBe('readable');
    script.step(1, { type: 'transfer', to: node(2) });
    expect(script.settlement(script.read(1, 'lease'))).toBeUndefined();
  });

  it('wants ticks while it is handed over, or somebody preferred could take it', () => {
    const script = new Script(2, { liveness: 'peers' }, { 2: { priority: 200 } });
    for (const [a, b] of [
      [1, 2],
      [2, 1],
    ] as const) {
      script.step(a, { type: 'peer-alive', peer: node(b), leadsTerm: null });
    }
    script.elect(1);
    script.step(2, { type: 'peer-alive', peer: node(1), leadsTerm: script.view(1).term });
    expect(script.wantsTicks(1)).toBe(true);
    for (let tick = 0; tick < 10; tick += 1) script.step(1, { type: 'tick' });
    script.settle();
    expect(script.view(2).role).toBe('leader');
  });
});
