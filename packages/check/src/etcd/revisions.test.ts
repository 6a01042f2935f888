import { describe, expect, it } from 'vitest';
import {
  deleteRange,
  put,
  range,
  type EtcdCall,
  type EtcdEvent,
  type EtcdRequest,
  type EtcdResponse,
  type KeyValue,
  type RevisionEvents,
  type TxnRequest,
} from './requests.ts';
import { checkRevisions, type RevisionCheckOptions } from './revisions.ts';
import { describeVerdict } from '../violation.ts';

type Line = readonly [called: number, returned: number | null, request: EtcdRequest, response?: EtcdResponse];

function calls(lines: readonly Line[]): EtcdCall[] {
  return lines.map(([calledAt, at, operation, result], id) => ({
    id,
    client: id,
    operation,
    calledAt,
    outcome:
      at === null
        ? { type: 'unknown', reason: 'no answer' }
        : result === undefined
          ? { type: 'failed', at, reason: 'refused' }
          : { type: 'returned', at, result },
  }));
}

/** The rules that a history breaks. */
function broken(lines: readonly Line[], options: RevisionCheckOptions = {}): string[] {
  const { verdict } = checkRevisions(calls(lines), options);
  if (verdict.outcome === 'unknown') return ['unknown'];
  return verdict.outcome === 'ok' ? [] : [...new Set(verdict.violations.map(({ rule }) => rule))];
}

function kv(key: string, value: string, modRevision: number, rest: Partial<KeyValue> = {}): KeyValue {
  return { key, value, createRevision: modRevision, modRevision, version: 1, lease: 0n, ...rest };
}

const wrote = (revision: number, prevKv: KeyValue | null = null): EtcdResponse => ({
  type: 'put',
  revision,
  prevKv,
});
const saw = (revision: number, ...kvs: KeyValue[]): EtcdResponse => ({
  type: 'range',
  revision,
  kvs,
  count: kvs.length,
  more: false,
});
const putEvent = (of: KeyValue): EtcdEvent => ({ type: 'put', kv: of });

const correct: readonly Line[] = [
  [0, 1, put('a', '1'), wrote(2)],
  [2, 3, put('b', '1'), wrote(3)],
  [4, 5, put('a', '2', { prevKv: true }), wrote(4, kv('a', '1', 2))],
  [6, 7, range('a'), saw(4, kv('a', '2', 4, { createRevision: 2, version: 2 }))],
  [6, 7, range('a', { revision: 2 }), saw(4, kv('a', '1', 2))],
  [6, 7, range('a', { serializable: true }), saw(3, kv('a', '1', 2))],
  [8, 9, deleteRange('a', { rangeEnd: 'c' }), { type: 'delete-range', revision: 5, deleted: 2, prevKvs: [] }],
  [10, 11, deleteRange('a'), { type: 'delete-range', revision: 5, deleted: 0, prevKvs: [] }],
];

/** The correct history with one line changed. */
function changed(index: number, line: Line): Line[] {
  return correct.map((original, position) => (position === index ? line : original));
}

describe('the revision checker', () => {
  it('accepts a correct history and gives its events', () => {
    const { verdict, revisions } = checkRevisions(calls(correct));
    expect(describeVerdict(verdict)).toBe('ok');
    expect(revisions.map(({ revision, events }) => [revision, events.length])).toEqual([
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 2],
    ]);
  });

  it.each<readonly [name: string, rule: string, lines: readonly Line[]]>([
    ['a stale read', 'revisions/real-time', changed(3, [6, 7, range('a'), saw(3, kv('a', '1', 2))])],
    [
      'a stale value under a new revision',
      'revisions/answer',
      changed(3, [6, 7, range('a'), saw(4, kv('a', '1', 2))]),
    ],
    ['a phantom', 'revisions/answer', changed(3, [6, 7, range('x'), saw(4, kv('x', '1', 3))])],
    ['a missing key', 'revisions/answer', changed(3, [6, 7, range('a'), saw(4)])],
    [
      'a wrong version',
      'revisions/answer',
      changed(3, [6, 7, range('a'), saw(4, kv('a', '2', 4, { createRevision: 2, version: 3 }))]),
    ],
    [
      'a wrong creation',
      'revisions/answer',
      changed(3, [6, 7, range('a'), saw(4, kv('a', '2', 4, { createRevision: 3, version: 2 }))]),
    ],
    ['a wrong old read', 'revisions/answer', changed(4, [6, 7, range('a', { revision: 2 }), saw(4)])],
    [
      'a wrong serializable read',
      'revisions/answer',
      changed(5, [6, 7, range('a', { serializable: true }), saw(4, kv('a', '1', 2))]),
    ],
    ['a duplicated revision', 'revisions/unique', changed(1, [2, 3, put('b', '1'), wrote(2)])],
    ['a write at the revision of the empty store', 'revisions/real-time', [[0, 1, put('a', '1'), wrote(1)]]],
    ['a gap', 'revisions/dense', [...correct, [12, 13, put('c', '1'), wrote(7)]]],
    [
      'revisions against real time',
      'revisions/real-time',
      [
        [0, 1, put('a', '1'), wrote(3)],
        [2, 3, put('b', '1'), wrote(2)],
      ],
    ],
    [
      'a wrong prev_kv',
      'revisions/answer',
      changed(2, [4, 5, put('a', '2', { prevKv: true }), wrote(4, kv('a', '0', 2))]),
    ],
    ['a missing prev_kv', 'revisions/answer', changed(2, [4, 5, put('a', '2', { prevKv: true }), wrote(4)])],
    [
      'a wrong count of deletes',
      'revisions/answer',
      changed(6, [
        8,
        9,
        deleteRange('a', { rangeEnd: 'c' }),
        { type: 'delete-range', revision: 5, deleted: 1, prevKvs: [] },
      ]),
    ],
    [
      'a delete of nothing that takes a revision',
      'revisions/dense',
      [
        ...correct,
        [12, 13, deleteRange('a'), { type: 'delete-range', revision: 6, deleted: 0, prevKvs: [] }],
      ],
    ],
    [
      'a wrong count',
      'revisions/answer',
      changed(3, [
        6,
        7,
        range('a', { rangeEnd: 'c', countOnly: true }),
        { type: 'range', revision: 4, kvs: [], count: 3, more: false },
      ]),
    ],
    [
      'a limit without more',
      'revisions/answer',
      changed(3, [
        6,
        7,
        range('a', { rangeEnd: 'c', limit: 1 }),
        { ...saw(4, kv('a', '2', 4, { createRevision: 2, version: 2 })), count: 2 } as EtcdResponse,
      ]),
    ],
    ['an answer of another kind', 'revisions/shape', changed(3, [6, 7, range('a'), wrote(4)])],
    [
      'a read of a revision to come',
      'revisions/future',
      changed(4, [6, 7, range('a', { revision: 9 }), saw(4)]),
    ],
  ])('refuses %s', (_name, rule, lines) => {
    expect(broken(lines)).toContain(rule);
  });

  it('refuses a transaction that took the wrong branch', () => {
    const txn: TxnRequest = {
      type: 'txn',
      compare: [{ key: 'a', rangeEnd: '', result: 'equal', target: { type: 'version', value: 0 } }],
      success: [put('a', 'new')],
      failure: [range('a')],
    };
    const created: EtcdResponse = {
      type: 'txn',
      revision: 2,
      succeeded: true,
      responses: [{ type: 'put', prevKv: null }],
    };
    const again: EtcdResponse = { ...created, revision: 3 };
    const refused: EtcdResponse = {
      type: 'txn',
      revision: 2,
      succeeded: false,
      responses: [{ type: 'range', kvs: [kv('a', 'new', 2)], count: 1, more: false }],
    };
    expect(
      broken([
        [0, 1, txn, created],
        [2, 3, txn, refused],
      ]),
    ).toEqual([]);
    expect(
      broken([
        [0, 1, txn, created],
        [2, 3, txn, again],
      ]),
    ).toContain('revisions/answer');
  });

  it('accepts any order of keys that sort equal, and no other', () => {
    const writes: Line[] = [
      [0, 1, put('a', 'same'), wrote(2)],
      [2, 3, put('b', 'same'), wrote(3)],
      [4, 5, put('c', 'more'), wrote(4)],
    ];
    const [a, b, c] = [kv('a', 'same', 2), kv('b', 'same', 3), kv('c', 'more', 4)];
    const sorted = range('a', { rangeEnd: 'z', sortTarget: 'value' });
    expect(broken([...writes, [6, 7, sorted, saw(4, c, a, b)]])).toEqual([]);
    expect(broken([...writes, [6, 7, sorted, saw(4, c, b, a)]])).toEqual([]);
    expect(broken([...writes, [6, 7, sorted, saw(4, a, b, c)]])).toContain('revisions/answer');
    expect(broken([...writes, [6, 7, sorted, saw(4, c, b, b)]])).toContain('revisions/answer');
  });
});

describe('lost writes', () => {
  const lost: Line = [0, null, put('a', 'lost')];

  it('fill gaps, and what was read tells which', () => {
    const lines: Line[] = [
      lost,
      [0, null, put('a', 'other')],
      [1, 2, put('b', '1'), wrote(3)],
      [3, 4, range('a'), saw(3, kv('a', 'lost', 2))],
    ];
    const { verdict, explained } = checkRevisions(calls(lines));
    expect(verdict.outcome).toBe('ok');
    expect([...explained]).toEqual([[0, 2]]);
  });

  it('fill one gap each', () => {
    expect(broken([lost, [1, 2, put('b', '1'), wrote(4)]])).toContain('revisions/dense');
    expect(broken([lost, lost, [1, 2, put('b', '1'), wrote(4)]])).toEqual([]);
  });

  it('never take effect before they were asked for', () => {
    const lines: Line[] = [
      [0, 1, put('b', '1'), wrote(3)],
      [2, null, put('a', 'lost')],
    ];
    expect(broken(lines)).toContain('revisions/dense');
  });

  it('may take effect after everything else', () => {
    expect(
      broken([lost, [1, 2, put('b', '1'), wrote(2)], [9, 9, range('a'), saw(3, kv('a', 'lost', 3))]]),
    ).toEqual([]);
  });

  it('are tried in other combinations when the first fails', () => {
    const lines: Line[] = [
      [0, null, deleteRange('a')],
      [0, null, put('b', 'lost')],
      [0, 1, put('a', '1'), wrote(2)],
      // Revision 3 is the put of b, because a is still there with its first version at 4.
      [2, 3, put('a', '2'), wrote(4)],
      [4, 5, range('a'), saw(4, kv('a', '2', 4, { createRevision: 2, version: 2 }))],
    ];
    expect(broken(lines)).toEqual([]);
  });

  it('end the search as unknown when there are too many combinations', () => {
    const lines: Line[] = Array.from({ length: 30 }, (_, index) => [0, null, put('a', `${index}`)]);
    lines.push([1, 2, put('b', '1'), wrote(20)], [3, 4, range('b'), saw(20)]);
    expect(checkRevisions(calls(lines), { maxGapSteps: 1_000 }).verdict.outcome).toBe('unknown');
  });
});

describe('with the persisted order', () => {
  const persisted: readonly RevisionEvents[] = [
    { revision: 2, events: [putEvent(kv('a', '1', 2))] },
    { revision: 3, events: [putEvent(kv('a', '2', 3, { createRevision: 2, version: 2 }))] },
  ];
  const first: Line = [0, 1, put('a', '1'), wrote(2)];

  it('lost writes are found in it', () => {
    const { verdict, explained } = checkRevisions(calls([first, [0, null, put('a', '2')]]), { persisted });
    expect(verdict.outcome).toBe('ok');
    expect([...explained]).toEqual([[1, 3]]);
  });

  it('a revision that nobody asked for is refused', () => {
    expect(broken([first], { persisted })).toEqual(['revisions/unexplained']);
  });

  it('a write that was reported as failed is named', () => {
    const { verdict } = checkRevisions(calls([first, [2, 3, put('a', '2')]]), { persisted });
    expect(describeVerdict(verdict)).toContain('it fits call 1');
  });

  it('a lost acknowledged write is refused', () => {
    const lines: Line[] = [first, [2, 3, put('a', '2'), wrote(3)], [4, 5, put('c', '1'), wrote(4)]];
    expect(broken(lines, { persisted })).toEqual(['revisions/lost-write']);
  });

  it('an acknowledged write that was persisted otherwise is refused', () => {
    expect(broken([first, [2, 3, put('a', 'x'), wrote(3)]], { persisted })).toEqual(['revisions/persisted']);
  });

  it('a hole is refused', () => {
    expect(broken([first], { persisted: [persisted[0]!, { ...persisted[1]!, revision: 4 }] })).toContain(
      'revisions/dense',
    );
  });

  it('lost writes are spread so that every revision has one', () => {
    const create: TxnRequest = {
      type: 'txn',
      compare: [{ key: 'a', rangeEnd: '', result: 'equal', target: { type: 'version', value: 0 } }],
      success: [put('a', 'same')],
      failure: [],
    };
    // Both fit revision 2, only the plain put fits revision 3.
    const twice = [
      { revision: 2, events: [putEvent(kv('a', 'same', 2))] },
      { revision: 3, events: [putEvent(kv('a', 'same', 3, { createRevision: 2, version: 2 }))] },
    ];
    expect(
      broken(
        [
          [0, null, put('a', 'same')],
          [0, null, create],
        ],
        { persisted: twice },
      ),
    ).toEqual([]);
  });
});

describe('compaction', () => {
  const writes: Line[] = [
    [0, 1, put('a', '1'), wrote(2)],
    [2, 3, put('a', '2'), wrote(3)],
    [4, 5, put('a', '3'), wrote(4)],
  ];
  const compact: Line = [6, 7, { type: 'compact', revision: 3 }, { type: 'compact', revision: 4 }];
  const compacted: EtcdResponse = { type: 'error', error: 'compacted' };
  const old = range('a', { revision: 2 });

  it('makes older revisions unreadable, and not the compacted one', () => {
    const atThree = saw(4, kv('a', '2', 3, { createRevision: 2, version: 2 }));
    expect(
      broken([...writes, compact, [8, 9, old, compacted], [8, 9, range('a', { revision: 3 }), atThree]]),
    ).toEqual([]);
  });

  it('is not ignored', () => {
    expect(broken([...writes, compact, [8, 9, old, saw(4, kv('a', '1', 2))]])).toEqual([
      'revisions/read-of-compacted',
    ]);
  });

  it('is no excuse when nobody compacted', () => {
    expect(broken([...writes, [8, 9, old, compacted]])).toEqual(['revisions/never-compacted']);
  });

  it('does not reach the future', () => {
    const future: EtcdResponse = { type: 'error', error: 'future-revision' };
    expect(broken([...writes, [8, 9, range('a', { revision: 9 }), future]])).toEqual([]);
    expect(broken([...writes, [8, 9, range('a', { revision: 4 }), future]])).toEqual([
      'revisions/not-future',
    ]);
  });
});

describe('a baseline', () => {
  it('is the state before the first call', () => {
    const baseline = { revision: 7, kvs: [kv('a', 'old', 5)] };
    const lines: Line[] = [[0, 1, put('a', 'new', { prevKv: true }), wrote(8, kv('a', 'old', 5))]];
    expect(broken(lines, { baseline })).toEqual([]);
    expect(broken(lines)).not.toEqual([]);
  });
});
