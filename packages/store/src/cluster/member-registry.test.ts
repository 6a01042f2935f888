import type { Index, MembershipOperation, NodeId, Term } from '@flotilla/raft';
import { encodeMembershipChange, type MembershipChange } from '@flotilla/raft';
import { expect, test } from 'vitest';
import { encodeMember, encodeProposal } from '../proposal.ts';
import { Harness } from '../../test/harness.ts';
import { encodeMembershipContext, type RegisteredMember } from './registered-member.ts';

const founders = [member(1, { name: 'n1' }), member(2, { name: 'n2' }), member(3, { name: 'n3' })];
const noContext = new Uint8Array(0);

function member(nodeId: number, given: Partial<RegisteredMember> = {}): RegisteredMember {
  const peerUrls = [`http://10.0.0.${nodeId}:2380`];
  return {
    nodeId,
    memberId: 0xff00_0000_0000_0000n + BigInt(nodeId),
    name: '',
    peerUrls,
    isLearner: false,
    level: 1,
    ...given,
  };
}

function change(
  operation: MembershipOperation,
  id: number,
  given: readonly RegisteredMember[] = [],
  base: readonly RegisteredMember[] = founders,
): MembershipChange {
  const context = encodeMembershipContext({ founders: base, members: given, maxLearners: 1 });
  return { steps: [{ operation, id: id as NodeId }], transition: 'auto', context };
}

function apply(harness: Harness, made: MembershipChange): void {
  const index = (harness.database.applied.index + 1) as Index;
  const payload = encodeMembershipChange(made);
  harness.database.apply([{ index, term: 1 as Term, kind: 'membership', payload }]);
}

function list(harness: Harness): readonly string[] {
  return [...harness.database.registry.members.values()].map(
    ({ nodeId, isLearner, name, peerUrls }) =>
      `${nodeId} ${isLearner ? 'learner' : 'voter'} ${name} ${peerUrls.join(',')}`,
  );
}

test('it is empty until a client changes who is in the cluster', async () => {
  const harness = await Harness.open();
  apply(harness, {
    steps: [{ operation: 'remove', id: 2 as NodeId }],
    transition: 'auto',
    context: noContext,
  });
  expect(harness.database.registry.isInUse).toBe(false);
  expect(list(harness)).toEqual([]);
});

test('the first change brings everybody who was there, and its own record', async () => {
  const harness = await Harness.open();
  apply(harness, change('add-learner', 4, [member(4)]));
  expect(list(harness)).toEqual([
    '1 voter n1 http://10.0.0.1:2380',
    '2 voter n2 http://10.0.0.2:2380',
    '3 voter n3 http://10.0.0.3:2380',
    '4 learner  http://10.0.0.4:2380',
  ]);
  apply(harness, change('add-voter', 4, [], []));
  expect(list(harness)[3]).toContain('4 voter');
});

test('a change of a session is made once, and a further try hears what was answered', async () => {
  const harness = await Harness.open();
  const session = { id: 's', request: 1, done: 0, digest: Uint8Array.of(1) };
  const origin = { user: null, session };
  const made = (nodeId: number): MembershipChange => ({
    ...change('add-learner', nodeId),
    context: encodeMembershipContext({ origin, founders, members: [member(nodeId)], maxLearners: 9 }),
  });
  const again = (digest: number): unknown =>
    harness.propose('cluster', noContext, {
      user: null,
      session: { ...session, digest: Uint8Array.of(digest) },
    });
  expect(harness.database.admits(made(4))).toBe(true);
  apply(harness, made(4));
  expect(harness.database.settles(session)).toBe(true);
  expect(harness.database.admits(made(5))).toBe(false);
  await harness.rest();
  await harness.restart();
  expect(again(1)).toEqual({ kind: 'cluster', response: { memberId: member(4).memberId } });
  expect(harness.refusal(() => again(2))).toBe('flotilla: request number was used for another request');
  expect(list(harness)).toHaveLength(4);
});

test('it survives a restart, and so do the ids that are never used again', async () => {
  const harness = await Harness.open();
  apply(harness, change('add-learner', 4, [member(4)]));
  apply(harness, change('update', 4, [member(4, { peerUrls: ['http://moved:1'] })], []));
  apply(harness, change('remove', 4, [], []));
  apply(harness, change('remove', 2, [], []));
  await harness.rest();
  const before = list(harness);
  await harness.restart();
  const { registry } = harness.database;
  expect(list(harness)).toEqual(before);
  expect(registry.lastNodeId).toBe(4);
  expect(registry.isRemoved(member(4).memberId)).toBe(true);
  expect(registry.isRemoved(member(2).memberId)).toBe(true);
  expect(registry.changedAt).toBe(4);
  expect(registry.judge(change('add-voter', 4, [member(4)], []))?.message).toContain('member not found');
  const again = member(4, { memberId: 99n });
  expect(registry.judge(change('add-voter', 4, [again], []))?.message).toContain('already exist');
});

test('steps that a recovery has forced remove members without a record', async () => {
  const harness = await Harness.open();
  apply(harness, change('add-learner', 4, [member(4)]));
  apply(harness, {
    steps: [{ operation: 'remove', id: 1 as NodeId }],
    transition: 'auto',
    context: noContext,
  });
  expect(list(harness).map((line) => line[0])).toEqual(['2', '3', '4']);
});

test('what a removed member has told of itself is forgotten, and not taken any more', async () => {
  const harness = await Harness.open();
  const publish = (nodeId: number): void => {
    const index = (harness.database.applied.index + 1) as Index;
    const request = encodeMember({ nodeId, record: Uint8Array.of(1) });
    const payload = encodeProposal({ kind: 'member', requestId: 0, request });
    harness.database.apply([{ index, term: 1 as Term, kind: 'command', payload }]);
  };
  publish(1);
  publish(2);
  apply(harness, change('remove', 2));
  publish(2);
  expect([...harness.database.members.keys()]).toEqual([1]);
});

test('the judgement is that of etcd', async () => {
  const harness = await Harness.open();
  apply(harness, change('add-learner', 4, [member(4)]));
  const { registry } = harness.database;
  const judged = (made: MembershipChange): string | undefined => registry.judge(made)?.message;
  const other = member(5);
  expect(judged(change('add-voter', 5, [other], []))).toBeUndefined();
  expect(judged(change('add-learner', 5, [other], []))).toContain('too many learner members');
  const sameUrl = member(5, { peerUrls: ['http://new:1', 'http://10.0.0.2:2380'] });
  expect(judged(change('add-voter', 5, [sameUrl], []))).toContain('Peer URLs already exists');
  const sameId = member(5, { memberId: member(1).memberId });
  expect(judged(change('add-voter', 5, [sameId], []))).toContain('member ID already exist');
  expect(judged(change('add-voter', 1, [], []))).toContain('can only promote a learner member');
  expect(judged(change('add-voter', 9, [], []))).toContain('member not found');
  expect(judged(change('remove', 9, [], []))).toContain('member not found');
  expect(judged(change('update', 9, [member(9)], []))).toContain('member not found');
  expect(judged(change('update', 1, [member(1)], []))).toBeUndefined();
  const taken = member(1, { peerUrls: ['http://10.0.0.3:2380'] });
  expect(judged(change('update', 1, [taken], []))).toContain('Peer URLs already exists');
});
