import { describe, expect, it } from 'vitest';
import { Script } from '../../simulation/core/script.ts';
import type { Index, NodeId, PeerMessage, Ref, Term } from './types.ts';

const node = (id: number): NodeId => id as NodeId;
const term = (n: number): Term => n as Term;
const index = (n: number): Index => n as Index;

function ticks(script: Script, id: number, count: number): void {
  for (let i = 0; i < count; i += 1) script.step(id, { type: 'tick' });
}

function describeMessage(message: PeerMessage): string {
  const head = `${message.from}->${message.to} ${message.type} ${message.term}`;
  if (message.type === 'append') {
    const entries = message.entries.map((entry) => `${entry.term}/${entry.index}`).join(' ');
    return `${head} ${message.previousTerm}/${message.previousIndex} [${entries}] commit ${message.commit}`;
  }
  if (message.type === 'append-response') return `${head} has ${message.index}`;
  if (message.type === 'vote-response' || message.type === 'pre-vote-response') {
    return `${head} ${message.granted ? 'granted' : 'refused'}`;
  }
  return head;
}

const sent = (script: Script): string[] => script.network.map(describeMessage);

describe('elections', () => {
  it('a single voter leads as soon as its own vote is durable', () => {
    const script = new Script(1);
    script.holdDisk(1);
    script.campaign(1);
    expect(script.view(1).role).toBe('candidate');
    script.sync(1);
    expect(script.view(1).role).toBe('leader');
  });

  it('requests for votes wait for the record with the term', () => {
    const script = new Script(3);
    script.holdDisk(1);
    script.campaign(1);
    expect(sent(script)).toEqual([]);
    script.sync(1);
    expect(sent(script)).toEqual(['1->2 vote 1', '1->3 vote 1']);
  });

  it('pre-votes change nobody’s term', () => {
    const script = new Script(3, { preVote: true });
    script.campaign(1);
    expect(script.view(1).role).toBe('pre-candidate');
    script.deliver({ type: 'pre-vote' });
    expect([1, 2, 3].map((id) => script.view(id).term)).toEqual([0, 0, 0]);
    expect(sent(script)).toEqual(['2->1 pre-vote-response 1 granted', '3->1 pre-vote-response 1 granted']);
    script.settle();
    expect(script.view(1).role).toBe('leader');
  });

  it('a refused pre-vote carries the term of who refuses, and the asker adopts it', () => {
    const script = new Script(3, { preVote: true });
    script.elect(1);
    script.take({});
    // 3 gets far ahead in terms, alone.
    script.inject({
      type: 'vote',
      from: node(2),
      to: node(3),
      term: term(9),
      lastIndex: index(0),
      lastTerm: term(0),
      forced: false,
    });
    script.take({});
    script.crash(1, 9);
    script.restart(1);
    script.campaign(1);
    script.deliver({ type: 'pre-vote', to: 3 });
    expect(sent(script)).toContain('3->1 pre-vote-response 9 refused');
    script.deliver({ type: 'pre-vote-response', from: 3 });
    expect(script.view(1).term).toBe(9);
  });

  it('a member that hears its leader is deaf to other candidates, unless the leader asked for it', () => {
    const script = new Script(3, { checkQuorum: true });
    script.elect(1);
    const request = (forced: boolean): PeerMessage => ({
      type: 'vote',
      from: node(3),
      to: node(2),
      term: term(7),
      lastIndex: index(9),
      lastTerm: term(6),
      forced,
    });
    script.inject(request(false));
    expect(script.view(2).term).toBe(1);
    script.inject(request(true));
    expect([script.view(2).term, script.view(2).vote]).toEqual([7, 3]);
  });

  it('without a quorum’s answers a leader steps down after an election time-out', () => {
    const script = new Script(3, { checkQuorum: true });
    script.elect(1);
    ticks(script, 1, 10);
    script.take({});
    expect(script.view(1).role).toBe('leader');
    ticks(script, 1, 10);
    expect(script.view(1).role).toBe('follower');
  });

  it('time-outs are drawn from one to two election time-outs', () => {
    const drawn = new Set<number>();
    for (let members = 1; members <= 7; members += 1) {
      for (let id = 1; id <= members; id += 1) {
        const script = new Script(members);
        let waited = 0;
        while (script.view(id).role === 'follower') {
          ticks(script, id, 1);
          waited += 1;
        }
        drawn.add(waited);
      }
    }
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...drawn)).toBeLessThan(20);
    expect(drawn.size).toBeGreaterThan(4);
  });

  it('leadership goes to the member that the leader names, with the whole log', () => {
    const script = new Script(3, { checkQuorum: true });
    script.elect(1);
    script.propose(1, 'a');
    script.step(1, { type: 'transfer', to: node(2) });
    const refused = script.propose(1, 'b');
    expect(script.settlement(refused)).toMatchObject({ type: 'refused', reason: 'transferring' });
    script.settle();
    expect(script.view(2).role).toBe('leader');
    expect(script.applied.get(2)).toEqual(['', 'a', '']);
  });
});

describe('replication', () => {
  it('probes once, then sends without waiting', () => {
    const script = new Script(3);
    script.elect(1);
    script.propose(1, 'a');
    script.propose(1, 'b');
    expect(sent(script).filter((text) => text.startsWith('1->2'))).toEqual([
      '1->2 append 1 1/1 [1/2] commit 1',
      '1->2 append 1 1/2 [1/3] commit 1',
    ]);
  });

  it('tells followers of a commit with an empty append, in order of their ids', () => {
    const script = new Script(3);
    script.elect(1);
    script.propose(1, 'a');
    script.deliver({ type: 'append' });
    script.deliver({ type: 'append-response', from: 2 });
    expect(sent(script).filter((text) => text.includes(' append 1'))).toEqual([
      '1->2 append 1 1/2 [] commit 2',
      '1->3 append 1 1/2 [] commit 2',
    ]);
  });

  it('an append waits for the answer, and the answer for the disk', () => {
    const script = new Script(3);
    script.elect(1);
    script.holdDisk(2);
    script.propose(1, 'a');
    script.deliver({ type: 'append', to: 2 });
    expect(script.find({ from: 2 })).toEqual([]);
    script.sync(2);
    expect(script.find({ from: 2 }).map(describeMessage)).toEqual(['2->1 append-response 1 has 2']);
  });

  it('a leader replicates while its own disk is busy, and commits on the others’', () => {
    const script = new Script(3);
    script.elect(1);
    script.holdDisk(1);
    script.propose(1, 'a');
    script.settle();
    expect([script.view(1).commit, script.view(1).durable]).toEqual([2, 1]);
    // Committed, and not applied here: its own log could not rebuild it.
    expect(script.applied.get(1)).toEqual(['']);
    script.sync(1);
    expect(script.applied.get(1)).toEqual(['', 'a']);
  });

  it('refusals skip whole terms', () => {
    const script = new Script(3);
    script.elect(1);
    // 2 has a long tail of its own term, that nobody else has.
    script.campaign(2);
    script.deliver({ type: 'vote', to: 3 });
    script.deliver({ type: 'vote-response', to: 2 });
    for (let i = 0; i < 20; i += 1) script.propose(2, `lost ${i}`);
    script.take({});
    script.campaign(3);
    script.take({});
    script.campaign(3);
    script.deliver({ type: 'vote', to: 1 });
    script.deliver({ type: 'vote-response', to: 3 });
    expect(script.view(3).role).toBe('leader');
    script.propose(3, 'kept');
    let appends = 0;
    for (let rounds = 0; rounds < 10; rounds += 1) {
      appends += script.deliver({ type: 'append', to: 2 });
      script.deliver({ from: 2 });
    }
    expect(script.view(2).lastIndex).toBe(script.view(3).lastIndex);
    expect(appends).toBeLessThan(6);
  });

  it('a window bounds what is on the way', () => {
    const script = new Script(3, { maxInflightMessages: 2 });
    script.elect(1);
    for (const text of ['a', 'b', 'c', 'd']) script.propose(1, text);
    expect(script.find({ type: 'append', to: 2 })).toHaveLength(2);
    expect(script.view(1).progress.get(node(2))).toMatchObject({ paused: true, inflight: 2 });
    script.settle();
    expect(script.applied.get(2)).toEqual(['', 'a', 'b', 'c', 'd']);
  });

  it('an unreachable follower is probed again, and woken by its heartbeat response', () => {
    const script = new Script(3);
    script.elect(1);
    script.step(1, { type: 'unreachable', peer: node(2) });
    expect(script.view(1).progress.get(node(2))?.state).toBe('probe');
    ticks(script, 1, 1);
    script.settle();
    expect(script.view(1).progress.get(node(2))?.state).toBe('replicate');
  });

  it('a member whose entries are compacted gets a snapshot', () => {
    const script = new Script(3);
    script.elect(1);
    script.crash(3, 9);
    for (const text of ['a', 'b', 'c']) script.propose(1, text);
    script.settle();
    const through = { index: index(4), term: term(1), configuration: script.view(1).configuration };
    script.disk(1).compact(through);
    script.step(1, { type: 'compacted', through });
    script.restart(3);
    script.take({});
    ticks(script, 1, 1);
    script.settle();
    expect(script.view(1).progress.get(node(3))).toMatchObject({
      state: 'snapshot',
      pendingSnapshot: 4,
      next: 5,
    });
    const { session } = script.view(1).progress.get(node(3)) as { session: number };
    const address = { from: node(1), to: node(3), term: term(1) };
    script.inject({ ...address, type: 'install-snapshot', session, snapshot: through });
    script.settle();
    expect(script.view(3)).toMatchObject({ commit: 4, applied: 4, firstIndex: 5 });
    expect(script.view(1).progress.get(node(3))).toMatchObject({ state: 'replicate', match: 4 });
  });

  it('a snapshot counts though its sender is deposed, because what is in it is committed', () => {
    const script = new Script(3);
    script.elect(1);
    script.step(2, { type: 'tick' });
    const address = { from: node(1), to: node(2), term: term(0) };
    const snapshot = { index: index(9), term: term(1), configuration: script.view(1).configuration };
    script.inject({ ...address, type: 'install-snapshot', session: 1, snapshot });
    expect(script.view(2)).toMatchObject({ commit: 9, applied: 9, lastIndex: 9 });
  });

  it.each([
    ['candidate', false],
    ['pre-candidate', true],
  ])('a %s that takes in a snapshot campaigns no longer with the log that it had', (role, preVote) => {
    const script = new Script(3, { preVote });
    script.campaign(2);
    if (!preVote) script.campaign(2);
    script.take({});
    expect(script.view(2).role).toBe(role);
    const snapshot = { index: index(9), term: term(1), configuration: script.view(1).configuration };
    const address = { from: node(1), to: node(2), term: term(preVote ? 0 : 1) };
    script.inject({ ...address, type: 'install-snapshot', session: 1, snapshot });
    expect(script.view(2)).toMatchObject({ role: 'follower', commit: 9 });
  });

  it('entries that left memory are read back for a follower, and for applying', () => {
    const script = new Script(3, { maxCachedBytes: 0 });
    script.elect(1);
    script.crash(3, 9);
    for (const text of ['a', 'b', 'c']) script.propose(1, text);
    script.settle();
    script.restart(3);
    ticks(script, 1, 1);
    script.settle();
    expect(script.applied.get(3)).toEqual(['', 'a', 'b', 'c']);
    script.crash(2, 9);
    script.restart(2);
    ticks(script, 1, 1);
    script.settle();
    expect(script.applied.get(2)).toEqual(['', 'a', 'b', 'c']);
  });
});

describe('proposals', () => {
  it('are forwarded once, to the leader of the term that they name', () => {
    const script = new Script(3);
    script.elect(1);
    const ref = script.propose(2, 'x');
    expect(script.settlement(ref)).toMatchObject({ type: 'forwarded', term: 1, to: 1 });
    const [message] = script.find({ type: 'propose' });
    script.settle();
    expect(script.applied.get(2)).toEqual(['', 'x']);
    script.campaign(3);
    script.settle();
    // Late, and for a leadership that is over: nobody takes it.
    script.inject(message as PeerMessage);
    script.settle();
    expect(script.applied.get(3)).toEqual(['', 'x', '']);
  });

  it('of one drain share a message', () => {
    const script = new Script(3);
    script.elect(1);
    const payload = new Uint8Array(8);
    const proposals = [1, 2, 3].map((ref) => ({ type: 'propose' as const, ref: ref as Ref, payload }));
    script.stepAll(2, proposals);
    expect(script.find({ type: 'propose' })).toMatchObject([{ payloads: [payload, payload, payload] }]);
    script.stepAll(1, proposals);
    expect(script.find({ type: 'append', to: 3 })).toMatchObject([{ entries: [{}, {}, {}] }]);
  });

  it.each([
    ['no leader is known', {}, 'no-leader', 2, 3],
    ['one is too large', { maxPayloadBytes: 2 }, 'too-large', 1, 3],
    ['too many bytes are not applied', { maxUncommittedBytes: 5 }, 'uncommitted-bytes', 1, 3],
  ])('are refused when %s', (_name, config, reason, at, bytes) => {
    const script = new Script(3, config);
    if (at === 1) script.elect(1);
    if (reason === 'uncommitted-bytes') script.propose(1, 'xxx');
    const ref = script.propose(at, 'x'.repeat(bytes));
    expect(script.settlement(ref)).toMatchObject({ type: 'refused', reason });
  });

  it('are taken again once earlier ones are applied', () => {
    const script = new Script(3, { maxUncommittedBytes: 5 });
    script.elect(1);
    script.propose(1, 'xxxx');
    expect(script.view(1).uncommittedBytes).toBe(4);
    script.settle();
    expect(script.view(1).uncommittedBytes).toBe(0);
    expect(script.settlement(script.propose(1, 'yyyy'))).toMatchObject({ type: 'appended' });
  });
});

describe('reads', () => {
  it('wait for a quorum that still knows the leader', () => {
    const script = new Script(3);
    script.elect(1);
    const ref = script.read(1);
    expect(script.settlement(ref)).toBeUndefined();
    script.settle();
    expect(script.settlement(ref)).toMatchObject({ type: 'readable', index: 1 });
  });

  it('that come while a round is out share the next one', () => {
    const script = new Script(3);
    script.elect(1);
    const first = script.read(1);
    const later = [script.read(1), script.read(1), script.read(1)];
    expect(script.find({ type: 'heartbeat' })).toHaveLength(2);
    script.deliver({ type: 'heartbeat' });
    script.deliver({ type: 'heartbeat-response', from: 2 });
    expect(script.settlement(first)).toMatchObject({ type: 'readable' });
    expect(later.map((ref) => script.settlement(ref))).toEqual([undefined, undefined, undefined]);
    expect(script.find({ type: 'heartbeat' })).toHaveLength(2);
    script.settle();
    for (const ref of later) expect(script.settlement(ref)).toMatchObject({ type: 'readable' });
  });

  it('wait for the first commit of the term', () => {
    const script = new Script(3);
    script.campaign(1);
    script.deliver({ type: 'vote' });
    script.deliver({ type: 'vote-response' });
    const ref = script.read(1);
    expect(script.find({ type: 'heartbeat' })).toEqual([]);
    script.settle();
    expect(script.settlement(ref)).toMatchObject({ type: 'readable', index: 1 });
  });

  it('of a follower are answered by the leader', () => {
    const script = new Script(3);
    script.elect(1);
    const ref = script.read(2);
    script.settle();
    expect(script.settlement(ref)).toMatchObject({ type: 'readable', index: 1, at: 2 });
  });

  it('of an earlier life are not answered to this one', () => {
    const script = new Script(3);
    script.elect(1);
    script.read(2);
    script.settle({ type: 'read-index' });
    script.settle({ type: 'heartbeat' });
    script.deliver({ type: 'heartbeat-response' });
    script.crash(2, 9);
    script.restart(2);
    const before = script.settlements.length;
    script.deliver({ type: 'read-index-response', to: 2 });
    expect(script.settlements).toHaveLength(before);
  });

  it('of a single voter are answered at once', () => {
    const script = new Script(1);
    script.elect(1);
    expect(script.settlement(script.read(1))).toMatchObject({ type: 'readable', index: 1 });
  });

  it('are refused when leadership ends, and when too many wait', () => {
    const script = new Script(3, { maxPendingReads: 1 });
    script.elect(1);
    const waiting = script.read(1);
    expect(script.settlement(script.read(1))).toMatchObject({ type: 'refused', reason: 'not-ready' });
    script.take({});
    script.campaign(2);
    script.settle({ type: 'vote', to: 1 });
    expect(script.settlement(waiting)).toMatchObject({ type: 'refused', reason: 'no-leader' });
  });
});

describe('liveness by peers', () => {
  function group(): Script {
    const script = new Script(3, { liveness: 'peers', preVote: true, checkQuorum: true });
    for (const id of [1, 2, 3]) {
      for (const peer of [1, 2, 3]) {
        if (peer !== id) script.step(id, { type: 'peer-alive', peer: node(peer), leadsTerm: null });
      }
    }
    script.elect(1);
    for (const id of [2, 3]) script.step(id, { type: 'peer-alive', peer: node(1), leadsTerm: term(1) });
    script.settle();
    return script;
  }

  it('an idle group needs no ticks, and says nothing', () => {
    const script = group();
    expect([1, 2, 3].map((id) => script.wantsTicks(id))).toEqual([false, false, false]);
    expect(script.network).toEqual([]);
  });

  it('a broken connection to the leader starts an election within half an election time-out', () => {
    const script = group();
    script.crash(1);
    for (const id of [2, 3]) script.step(id, { type: 'peer-silent', peer: node(1) });
    expect(script.view(2).leader).toBe(0);
    expect(script.wantsTicks(2)).toBe(true);
    ticks(script, 2, 5);
    script.settle();
    expect(script.view(2).role).toBe('leader');
  });

  it('a connection that comes back in time ends the countdown', () => {
    const script = group();
    script.step(2, { type: 'peer-silent', peer: node(1) });
    script.step(2, { type: 'peer-alive', peer: node(1), leadsTerm: term(1) });
    expect([script.view(2).leader, script.wantsTicks(2)]).toEqual([1, false]);
  });

  it('a leader whose living peers are no quorum steps down at once', () => {
    const script = group();
    script.step(1, { type: 'peer-silent', peer: node(2) });
    expect(script.view(1).role).toBe('leader');
    script.step(1, { type: 'peer-silent', peer: node(3) });
    expect(script.view(1).role).toBe('follower');
  });

  it('a leader that ignores a candidate tells it who leads', () => {
    const script = group();
    script.campaign(3);
    expect(script.view(3).leader).toBe(0);
    script.settle();
    expect([script.view(3).role, script.view(3).leader, script.view(1).role]).toEqual([
      'follower',
      1,
      'leader',
    ]);
  });

  it('a member that returns is woken by its connection', () => {
    const script = group();
    script.crash(3, 9);
    script.step(1, { type: 'peer-silent', peer: node(3) });
    script.propose(1, 'a');
    script.settle();
    script.restart(3);
    script.step(3, { type: 'peer-alive', peer: node(1), leadsTerm: term(1) });
    script.step(1, { type: 'peer-alive', peer: node(3), leadsTerm: null });
    script.settle();
    expect(script.applied.get(3)).toEqual(['', 'a']);
    expect(script.wantsTicks(1)).toBe(false);
  });

  it('what may be lost without the connection breaking is repeated on ticks', () => {
    const script = group();
    script.propose(1, 'a');
    script.settle({ to: 2 });
    script.settle({ to: 1 });
    script.drop({ to: 3 });
    script.settle();
    expect([script.view(1).commit, script.view(3).commit]).toEqual([2, 1]);
    expect(script.wantsTicks(1)).toBe(true);
    ticks(script, 1, 1);
    script.settle();
    ticks(script, 1, 1);
    script.settle();
    expect(script.applied.get(3)).toEqual(['', 'a']);
    expect(script.wantsTicks(1)).toBe(false);
  });
});
