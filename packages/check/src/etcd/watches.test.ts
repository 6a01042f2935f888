import { describe, expect, it } from 'vitest';
import type { KeyValue, RevisionEvents } from './requests.ts';
import { checkWatches, type WatchEvent, type WatchRecord, type WatchRequest } from './watches.ts';

const a2: KeyValue = { key: 'a', value: '1', createRevision: 2, modRevision: 2, version: 1, lease: 0n };
const b2: KeyValue = { ...a2, key: 'b' };
const a3: KeyValue = { ...a2, value: '2', modRevision: 3, version: 2 };
const c5: KeyValue = { ...a2, key: 'c', createRevision: 5, modRevision: 5 };

const revisions: readonly RevisionEvents[] = [
  {
    revision: 2,
    events: [
      { type: 'put', kv: a2 },
      { type: 'put', kv: b2 },
    ],
  },
  { revision: 3, events: [{ type: 'put', kv: a3 }] },
  { revision: 4, events: [{ type: 'delete', key: 'a', modRevision: 4 }] },
  { revision: 5, events: [{ type: 'put', kv: c5 }] },
];

const putA2: WatchEvent = { type: 'put', kv: a2, prevKv: null };
const putB2: WatchEvent = { type: 'put', kv: b2, prevKv: null };
const putA3: WatchEvent = { type: 'put', kv: a3, prevKv: a2 };
const deleteA4: WatchEvent = { type: 'delete', key: 'a', modRevision: 4, prevKv: a3 };
const putC5: WatchEvent = { type: 'put', kv: c5, prevKv: null };

const everything: WatchRequest = {
  key: 'a',
  rangeEnd: 'z',
  startRevision: 1,
  noPut: false,
  noDelete: false,
  prevKv: true,
};

/** The rules that a watch of everything breaks; each response is a list of events, none is progress. */
function broken(
  responses: readonly (readonly WatchEvent[])[],
  request: Partial<WatchRequest> = {},
  rest: { fragments?: boolean; completeThrough?: number; headers?: readonly number[]; created?: number } = {},
): string[] {
  const watch: WatchRecord = {
    name: 'watch 1',
    request: { ...everything, ...request },
    createdRevision: rest.created ?? 1,
    responses: responses.map((events, index) => ({
      revision: rest.headers?.[index] ?? 5,
      events,
      fragment: rest.fragments ?? false,
    })),
    completeThrough: rest.completeThrough ?? 0,
  };
  const verdict = checkWatches([watch], revisions);
  return verdict.outcome === 'illegal' ? [...new Set(verdict.violations.map(({ rule }) => rule))] : [];
}

describe('the watch checker', () => {
  it('accepts all events, in any grouping of whole revisions', () => {
    expect(broken([[putA2, putB2, putA3], [deleteA4], [putC5]], {}, { completeThrough: 5 })).toEqual([]);
    expect(
      broken([
        [putA2, putB2],
        [putA3, deleteA4, putC5],
      ]),
    ).toEqual([]);
    expect(broken([[putA2, putB2]])).toEqual([]);
  });

  it('refuses events out of order', () => {
    expect(broken([[putA2, putB2], [deleteA4], [putA3]])).toContain('watch/ordered');
  });

  it('refuses an event that comes twice', () => {
    expect(broken([[putA2, putB2], [putA3], [putA3]])).toContain('watch/unique');
  });

  it('refuses a revision split over responses, unless they are fragments', () => {
    expect(broken([[putA2], [putB2]])).toContain('watch/atomic');
    expect(broken([[putA2], [putB2]], {}, { fragments: true })).toEqual([]);
  });

  it('refuses a missing event: between others, before progress, and at the promised end', () => {
    expect(broken([[putA2, putB2], [deleteA4]])).toEqual(['watch/reliable']);
    expect(broken([[putA2, putB2], [putA3], []], {}, { headers: [5, 5, 4] })).toEqual(['watch/reliable']);
    expect(broken([[putA2, putB2]], {}, { completeThrough: 3 })).toEqual(['watch/reliable']);
    expect(broken([[putA2]])).toEqual(['watch/reliable']);
  });

  it('refuses events at or before the revision of a progress notification', () => {
    const headers = [5, 4, 5, 5];
    expect(broken([[putA2, putB2], [], [putA3]], {}, { headers })).toContain('watch/bookmarkable');
    expect(broken([[putA2, putB2, putA3, deleteA4], [], [putC5]], {}, { headers })).toEqual([]);
  });

  it('refuses progress that goes back, or that is older than what has come', () => {
    expect(broken([[putA2, putB2], [], []], { rangeEnd: 'z' }, { headers: [5, 2, 2] })).toEqual([]);
    expect(broken([[putA2, putB2, putA3], []], {}, { headers: [5, 2] })).toEqual(['watch/bookmarkable']);
    expect(broken([[], []], { key: 'x', rangeEnd: '' }, { headers: [5, 4] })).toEqual(['watch/bookmarkable']);
  });

  it('refuses progress before the revision that a watch waits for', () => {
    const waits = { startRevision: 5, key: 'c', rangeEnd: '' };
    expect(broken([[], [putC5]], waits, { headers: [4, 5] })).toEqual([]);
    expect(broken([[], [putC5]], waits, { headers: [3, 5] })).toEqual(['watch/bookmarkable']);
  });

  it('refuses a start that is early or late', () => {
    expect(broken([[putA3], [deleteA4]], { startRevision: 3 })).toEqual([]);
    expect(broken([[putA3], [deleteA4]], { startRevision: 4 })).toContain('watch/resumable');
    expect(broken([[putC5]], { startRevision: 3 })).toEqual(['watch/resumable']);
    expect(broken([[deleteA4], [putC5]], { startRevision: 0 }, { created: 3 })).toEqual([]);
    expect(broken([[putC5]], { startRevision: 0 }, { created: 3 })).toEqual(['watch/reliable']);
  });

  it('refuses events of other keys and kinds', () => {
    expect(broken([[putA2], [putA3], [deleteA4]], { rangeEnd: '' })).toEqual([]);
    expect(broken([[putA2, putB2]], { rangeEnd: '' })).toContain('watch/filter');
    expect(broken([[deleteA4]], { noPut: true }, { completeThrough: 5 })).toEqual([]);
    expect(broken([[putA2, putB2]], { noPut: true })).toContain('watch/filter');
  });

  it('refuses wrong, missing and unasked previous values', () => {
    const wrong: WatchEvent = { ...putA3, prevKv: { ...a2, value: 'x' } };
    const missing: WatchEvent = { ...putA3, prevKv: null };
    const start = { startRevision: 3 };
    expect(broken([[wrong]], start)).toEqual(['watch/prevKV']);
    expect(broken([[missing]], start)).toEqual(['watch/prevKV']);
    expect(broken([[putA3]], { ...start, prevKv: false })).toEqual(['watch/prevKV']);
    expect(broken([[missing]], { ...start, prevKv: false })).toEqual([]);
  });

  it('refuses a creation that was none, and values that were never written', () => {
    const created: WatchEvent = { ...putA3, kv: { ...a3, createRevision: 3, version: 1 } };
    const other: WatchEvent = { ...putA3, kv: { ...a3, value: 'x' } };
    const never: WatchEvent = { ...putA3, kv: { ...a3, key: 'y' } };
    expect(broken([[created]], { startRevision: 3 })).toEqual(['watch/isCreate']);
    expect(broken([[other]], { startRevision: 3 })).toEqual(['watch/event']);
    expect(broken([[never]], { startRevision: 3 })).toContain('watch/event');
  });

  it('refuses events that are newer than their header', () => {
    expect(broken([[putA2, putB2], [putA3]], {}, { headers: [2, 2] })).toEqual(['watch/header']);
  });

  it('excuses previous values that were compacted away', () => {
    const missing: WatchEvent = { ...putA3, prevKv: null };
    const watch: WatchRecord = {
      name: 'watch 1',
      request: { ...everything, startRevision: 3 },
      createdRevision: 5,
      responses: [{ revision: 5, events: [missing], fragment: false }],
      completeThrough: 0,
    };
    expect(checkWatches([watch], revisions, { compactRevision: 3 }).outcome).toBe('ok');
    expect(checkWatches([watch], revisions, { compactRevision: 2 }).outcome).toBe('illegal');
  });
});
