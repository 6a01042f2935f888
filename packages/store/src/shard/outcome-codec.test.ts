import { PutResponse, ResponseHeader, TxnResponse } from '@flotilla/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { sessionErrors } from '../sessions/session-errors.ts';
import { type Outcome, RequestMemory } from './request-memory.ts';
import type { Decision } from './shard-entry.ts';

const header = ResponseHeader.create({ revision: 7 });

function written(revision: number | null): Outcome {
  return {
    kind: 'written',
    seq: 3,
    from: 1,
    revision,
    result: { kind: 'put', response: PutResponse.create({ header }) },
  };
}

function unchanged(bound: number | null): Outcome {
  const result = { kind: 'error', error: sessionErrors.tooOld } as const;
  return { kind: 'unchanged', result, from: 2, seen: 5, prepared: 1, bound };
}

function committed(parts: readonly number[]): Outcome & { readonly kind: 'committed' } {
  return {
    kind: 'committed',
    transaction: '1.2.life-1',
    revision: 9,
    effective: true,
    error: null,
    participants: [1, 2],
    parts: new Map(parts.map((shard) => [shard, TxnResponse.create({ header, succeeded: true })])),
  };
}

function decision(session: number, request: number): Decision {
  return {
    transaction: `${session}.${request}`,
    origin: { session, request, floor: 1 },
    participants: [1, 2],
    revokes: null,
    verdict: 'commit',
    choices: [true],
    effective: true,
    changes: [{ operation: 1, participant: 0, count: 300 }],
    error: null,
    revision: 9,
  };
}

/** What the records that were handed out say. */
function reopened(records: ReadonlyMap<number | null, Uint8Array>): RequestMemory {
  const memory = new RequestMemory();
  memory.restore(null, records.get(null) as Uint8Array);
  for (const [session, record] of records) if (session !== null) memory.restore(session, record);
  return memory;
}

describe('what is remembered of sessions', () => {
  const records = new Map<number | null, Uint8Array>();
  beforeEach(() => records.clear());

  const flush = (memory: RequestMemory): void => {
    memory.flush((session, record) => {
      if (record === null) records.delete(session);
      else records.set(session, record);
    }, false);
  };

  test('is the same when its records are read again', () => {
    const memory = new RequestMemory();
    memory.remember({ session: 1, request: 4 }, written(8));
    memory.remember({ session: 1, request: 2 }, written(null));
    memory.remember({ session: 1, request: 3 }, unchanged(null));
    memory.remember({ session: 2, request: 1 }, unchanged(6));
    memory.remember({ session: 2, request: 2 }, committed([1, 2]));
    memory.decided(decision(2, 2));
    memory.decided(decision(3, 1));
    memory.expire([9], 1);
    flush(memory);
    expect(reopened(records).toPlain()).toEqual(memory.toPlain());
  });

  test('is written as it is now, whatever was written of it before', () => {
    const memory = new RequestMemory();
    const pending = written(null) as Outcome & { readonly kind: 'written' };
    memory.remember({ session: 1, request: 1 }, pending);
    memory.remember({ session: 1, request: 2 }, committed([1]));
    flush(memory);
    pending.revision = 11;
    memory.settled(1);
    const neighbour = new RequestMemory();
    neighbour.remember({ session: 1, request: 2 }, committed([2]));
    memory.unite(neighbour, 12);
    flush(memory);
    const again = reopened(records);
    expect(again.toPlain()).toEqual(memory.toPlain());
    expect(again.outcomeOf({ session: 1, request: 1 })).toMatchObject({ revision: 11 });
    const parts = (again.outcomeOf({ session: 1, request: 2 }) as ReturnType<typeof committed>).parts;
    expect([...parts.keys()].sort((a, b) => a - b)).toEqual([1, 2]);
  });

  test('has nothing below a floor, and no decision of it', () => {
    const memory = new RequestMemory();
    memory.remember({ session: 1, request: 1 }, written(8));
    memory.decided(decision(1, 1));
    memory.decided(decision(2, 1));
    flush(memory);
    memory.raiseFloor(1, 2);
    flush(memory);
    const again = reopened(records);
    expect(again.toPlain()).toEqual(memory.toPlain());
    expect([again.decisionOf('1.1'), again.isDecided('2.1')]).toEqual([null, true]);
    expect(again.size).toBe(1);
  });
});
