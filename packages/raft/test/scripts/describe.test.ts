import { describe, expect, test } from 'vitest';
import { configurationOf } from '../../src/core/configuration.ts';
import type { Index, NodeId } from '../../src/core/types.ts';
import {
  describeConfiguration,
  describeMessage,
  describeProgress,
  describeSnapshot,
  quoted,
} from './describe.ts';
import { describeSteps, parseSteps } from './membership-text.ts';
import { appendThread, scriptMessage } from './script-message.ts';

const delivery = { type: 'own-pre-vote' } as const;
const entry = { term: 2, index: 7, type: 'EntryNormal', text: '"x"' } as const;

describe('the texts of the scripts', () => {
  test('say a message on one line, and leave out what is zero', () => {
    const message = scriptMessage({
      from: 1,
      to: 12,
      type: 'MsgApp',
      term: 2,
      logTerm: 1,
      index: 6,
      delivery,
    });
    expect(describeMessage(message)).toBe('1->c MsgApp Term:2 Log:1/6');
    expect(describeMessage({ ...message, commit: 6, entries: [entry] })).toBe(
      '1->c MsgApp Term:2 Log:1/6 Commit:6 Entries:[2/7 EntryNormal "x"]',
    );
    expect(describeMessage({ ...message, type: 'MsgAppResp', rejected: true, hint: 3 })).toBe(
      '1->c MsgAppResp Term:2 Log:1/6 Rejected (Hint: 3)',
    );
  });

  test('give several entries, and responses, a line each', () => {
    const response = scriptMessage({ from: 1, to: 2, type: 'MsgAppResp', index: 8, delivery });
    const second = { ...entry, index: 8, type: 'EntryConfChangeV2', text: 'v1 l2' } as const;
    const message = scriptMessage({
      from: 1,
      to: appendThread,
      type: 'MsgStorageAppend',
      vote: 2,
      entries: [entry, second],
      responses: [response],
      delivery,
    });
    expect(describeMessage(message, '  ').split('\n')).toEqual([
      '  1->AppendThread MsgStorageAppend Term:0 Log:0/0 Vote:2 Entries:[',
      '    2/7 EntryNormal "x"',
      '    2/8 EntryConfChangeV2 v1 l2',
      '  ] Responses:[',
      '    1->2 MsgAppResp Term:0 Log:0/8',
      '  ]',
    ]);
  });

  test('name both halves of a joint configuration, learners, and who becomes one', () => {
    const simple = configurationOf([1, 2], [5]);
    const joint = {
      ...simple,
      votersOutgoing: [1, 4] as NodeId[],
      learnersNext: [4] as NodeId[],
      autoLeave: true,
    };
    expect(describeConfiguration(configurationOf([]))).toBe('voters=()');
    expect(describeConfiguration(joint)).toBe('voters=(1 2)&&(1 4) learners=(5) learners_next=(4) autoleave');
    expect(describeSnapshot({ index: 9, term: 3, configuration: joint })).toBe(
      'Index:9 Term:3 ConfState:Voters:[1 2] VotersOutgoing:[1 4] Learners:[5] LearnersNext:[4] AutoLeave:true',
    );
  });

  test('say of a progress what is not as usual', () => {
    const usual = {
      state: 'replicate',
      match: 11 as Index,
      next: 15 as Index,
      learner: false,
      paused: false,
      pendingSnapshot: 0 as Index,
      active: true,
      inflight: 0,
      windowFull: false,
    } as const;
    expect(describeProgress(usual)).toBe('StateReplicate match=11 next=15');
    expect(describeProgress({ ...usual, learner: true, paused: true, inflight: 3, windowFull: true })).toBe(
      'StateReplicate match=11 next=15 learner paused inflight=3[full]',
    );
    expect(
      describeProgress({ ...usual, state: 'snapshot', pendingSnapshot: 14 as Index, active: false }),
    ).toBe('StateSnapshot match=11 next=15 pendingSnap=14 inactive');
  });

  test('quote payloads as Go does', () => {
    expect(quoted(new TextEncoder().encode('a "b"\\\n\u0001'))).toBe('"a \\"b\\"\\\\\\n\\x01"');
  });

  test('write changes of membership as they are read', () => {
    expect(describeSteps(parseSteps(' v1  l2 r3 u4 '))).toBe('v1 l2 r3 u4');
    expect(() => parseSteps('x1')).toThrow('«x1» is not a change of membership');
  });
});
