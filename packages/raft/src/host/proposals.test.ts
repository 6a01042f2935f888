import { configurationOf } from '../core/configuration.ts';
import { describe, expect, it } from 'vitest';
import type { Index, Input, NodeId, RaftCore, Ref, Term } from '../core/types.ts';
import { hostLimits } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { OriginWriter, withoutOrigin } from './origin.ts';
import { ProposalTable } from './proposals.ts';

const self = 1 as NodeId;
const leader = 2 as NodeId;
const incarnation = 0x1234_5678_9abc;
const configuration = configurationOf([self, leader]);

/** Records what a core would be given. */
class Steps {
  readonly inputs: Extract<Input, { type: 'propose' }>[] = [];
  #ref = 0;

  get last(): Extract<Input, { type: 'propose' }> {
    const last = this.inputs[this.inputs.length - 1];
    if (last === undefined) throw new Error('nothing was stepped');
    return last;
  }

  into(table: ProposalTable<string>): void {
    const core = { step: (input: Input) => input.type === 'propose' && this.inputs.push({ ...input }) };
    table.step(core as unknown as RaftCore, () => {
      this.#ref += 1;
      return this.#ref as Ref;
    });
  }
}

function table(limits = {}): { proposals: ProposalTable<string>; steps: Steps } {
  const proposals = new ProposalTable<string>(
    self,
    incarnation,
    100,
    { ...hostLimits, ...limits },
    createMetrics(),
  );
  return { proposals, steps: new Steps() };
}

const payload = Uint8Array.of(1, 2, 3);

describe('ProposalTable', () => {
  it('answers with the result of the entry that carries its origin', async () => {
    const { proposals, steps } = table();
    const answer = proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 7 as Index);
    proposals.applied(steps.last.payload, 'done');
    await expect(answer).resolves.toBe('done');
    expect(proposals.size).toBe(0);
  });

  it('takes no entry of another member, or of an earlier life, for its own', async () => {
    const { proposals, steps } = table();
    const answer = proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 7 as Index);
    proposals.applied(new OriginWriter(leader, incarnation).write(1, payload), 'another member');
    proposals.applied(new OriginWriter(self, incarnation - 1).write(1, payload), 'another life');
    expect(proposals.size).toBe(1);
    proposals.applied(steps.last.payload, 'its own');
    await expect(answer).resolves.toBe('its own');
  });

  it('proposes again only when an entry of a later term was applied', () => {
    const { proposals, steps } = table();
    void proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 0 as Index);
    proposals.termApplied(3 as Term);
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(1);
    proposals.termApplied(4 as Term);
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(2);
    expect(steps.inputs[1]?.payload).toBe(steps.inputs[0]?.payload);
    expect(steps.inputs[1]?.ref).not.toBe(steps.inputs[0]?.ref);
  });

  it('proposes again what never arrived, and waits for what may have', () => {
    const { proposals, steps } = table();
    for (let i = 0; i < 3; i += 1) void proposals.add(payload, 1000);
    steps.into(proposals);
    steps.inputs.forEach(({ ref, payload: bytes }, i) => {
      proposals.accepted(ref, 3 as Term, 0 as Index);
      proposals.forwarded([bytes], leader, 9, i + 1);
    });
    proposals.reconnected(leader, 8, 0);
    steps.into(proposals);
    expect(steps.inputs, 'another life of the leader').toHaveLength(3);
    proposals.reconnected(leader, 9, 2);
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(4);
    expect(steps.inputs[3]?.payload).toBe(steps.inputs[2]?.payload);
  });

  it('waits for what the leader has not counted, however its counting goes on', () => {
    const { proposals, steps } = table();
    for (let i = 0; i < 2; i += 1) void proposals.add(payload, 1000);
    steps.into(proposals);
    steps.inputs.forEach(({ ref, payload: bytes }, i) => {
      proposals.accepted(ref, 3 as Term, 0 as Index);
      proposals.forwarded([bytes], leader, 9, i + 1);
    });
    proposals.reconnected(leader, 9, null);
    proposals.reconnected(leader, 9, 0);
    proposals.refusedByLeader(leader, 9, 1, [1], 'no-leader');
    proposals.resume();
    steps.into(proposals);
    expect(steps.inputs, 'they may have arrived').toHaveLength(2);
    proposals.termApplied(4 as Term);
    steps.into(proposals);
    expect(steps.inputs, 'lost for sure').toHaveLength(4);
  });

  it('does not take a late refusal of one attempt for one of the next', () => {
    const { proposals, steps } = table();
    void proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 0 as Index);
    proposals.forwarded([steps.last.payload], leader, 9, 5);
    proposals.termApplied(4 as Term);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 4 as Term, 0 as Index);
    proposals.forwarded([steps.last.payload], leader, 9, 6);
    proposals.refusedByLeader(leader, 9, 5, [1], 'no-leader');
    proposals.resume();
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(2);
    proposals.refusedByLeader(leader, 9, 6, [1], 'no-leader');
    proposals.resume();
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(3);
  });

  it('says that it does not know when a snapshot may have skipped the entry', async () => {
    const { proposals, steps } = table();
    const before = proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 0 as Index);
    const after = proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 11 as Index);
    proposals.jumped({ index: 10 as Index, term: 3 as Term, configuration });
    await expect(before).rejects.toMatchObject({ code: 'FLOTILLA_PROPOSAL_UNKNOWN' });
    proposals.applied(steps.last.payload, 'after the snapshot');
    await expect(after).resolves.toBe('after the snapshot');
  });

  it('tells proposals that may be in the log from those that are not, at the time-out', async () => {
    const { proposals, steps } = table();
    const sent = proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.accepted(steps.last.ref, 3 as Term, 7 as Index);
    const waiting = proposals.add(payload, 1000);
    proposals.sweep(999, 0 as Index);
    expect(proposals.size).toBe(2);
    proposals.sweep(1000, 0 as Index);
    await expect(sent).rejects.toMatchObject({ code: 'FLOTILLA_PROPOSAL_TIMEOUT' });
    await expect(waiting).rejects.toMatchObject({ code: 'FLOTILLA_NO_LEADER' });
    steps.into(proposals);
    expect(steps.inputs, 'an answered proposal is never proposed').toHaveLength(1);
  });

  it('holds refused proposals until there is a reason to try again', () => {
    const { proposals, steps } = table();
    void proposals.add(payload, 1000);
    steps.into(proposals);
    proposals.refused(steps.last.ref, 'uncommitted-bytes');
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(1);
    proposals.resume();
    steps.into(proposals);
    expect(steps.inputs).toHaveLength(2);
  });

  it('is bounded in number, in bytes and in the size of one', async () => {
    const { proposals } = table({ pendingProposals: 2, pendingProposalBytes: 60 });
    await expect(proposals.add(new Uint8Array(101), 1)).rejects.toMatchObject({
      code: 'FLOTILLA_PROPOSAL_TOO_LARGE',
    });
    void proposals.add(new Uint8Array(30), 1).catch(() => undefined);
    await expect(proposals.add(new Uint8Array(30), 1)).rejects.toMatchObject({
      code: 'FLOTILLA_TOO_MANY_PROPOSALS',
    });
    void proposals.add(new Uint8Array(1), 1).catch(() => undefined);
    await expect(proposals.add(new Uint8Array(0), 1)).rejects.toMatchObject({
      code: 'FLOTILLA_TOO_MANY_PROPOSALS',
    });
  });

  it('is the payload again without the origin', () => {
    const written = new OriginWriter(self, incarnation).write(2 ** 47 + 5, payload);
    const entry = { term: 1 as Term, index: 1 as Index, kind: 'command' as const, payload: written };
    expect([...withoutOrigin(entry).payload]).toEqual([1, 2, 3]);
    expect(() => withoutOrigin({ ...entry, payload })).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_ENTRY_INVALID' }),
    );
  });
});
