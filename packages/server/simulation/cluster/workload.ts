import { deleteRange, prefixEnd, put, range } from '@flotilla/check';
import type { Compare, EtcdRequest, TxnOperation } from '@flotilla/check';
import type { Tape } from '@flotilla/sim';

/** Written by single-key requests only, so that each of them can also be judged by itself. */
export const soloKeys = ['solo/a', 'solo/b', 'solo/c'] as const;
/** Written by everything. */
const sharedKeys = ['s/1', 's/2', 's/3', 's/4', 's/5', 't/1', 't/2'] as const;

/** What a client has learned and uses to ask better questions. */
export interface Knowledge {
  /** The latest revision that it has seen. */
  revision: number;
  /** By key: the revision at which it saw it modified last; 0: absent. */
  readonly modRevisions: Map<string, number>;
  /** Numbers the values that it writes. */
  writes: number;
}

/** The next request of a client. 0 everywhere on the tape is a linearizable get. */
export function drawRequest(tape: Tape, client: number, known: Knowledge, compacts: boolean): EtcdRequest {
  const drawn = tape.choose(compacts ? 102 : 100, 'request');
  if (drawn < 18) return range(soloKey(tape));
  if (drawn < 38)
    return put(soloKey(tape), nextValue(client, known), { prevKv: tape.chance(1, 3, 'previous kv') });
  if (drawn < 43) return deleteRange(soloKey(tape), { prevKv: tape.chance(1, 3, 'previous kv') });
  if (drawn < 53) return guardedPut(soloKey(tape), client, known);
  if (drawn < 63)
    return put(sharedKey(tape), nextValue(client, known), { prevKv: tape.chance(1, 3, 'previous kv') });
  if (drawn < 68) return deleteShared(tape);
  if (drawn < 83) return transaction(tape, client, known);
  if (drawn < 100) return wideRange(tape, known);
  return { type: 'compact', revision: Math.max(known.revision - tape.choose(20, 'revisions kept'), 1) };
}

function soloKey(tape: Tape): string {
  return soloKeys[tape.choose(soloKeys.length, 'solo key')] as string;
}

function sharedKey(tape: Tape): string {
  return sharedKeys[tape.choose(sharedKeys.length, 'shared key')] as string;
}

function nextValue(client: number, known: Knowledge): string {
  known.writes += 1;
  return `${client}.${known.writes}`;
}

/** Compare-and-set: what locks and elections are made of. */
function guardedPut(key: string, client: number, known: Knowledge): EtcdRequest {
  const value = known.modRevisions.get(key) ?? 0;
  return {
    type: 'txn',
    compare: [{ key, rangeEnd: '', result: 'equal', target: { type: 'mod', value } }],
    success: [put(key, nextValue(client, known))],
    failure: [range(key)],
  };
}

function deleteShared(tape: Tape): EtcdRequest {
  const prevKv = tape.chance(1, 2, 'previous kv');
  if (tape.chance(1, 3, 'delete a prefix')) return deleteRange('t/', { rangeEnd: prefixEnd('t/'), prevKv });
  return deleteRange(sharedKey(tape), { prevKv });
}

function transaction(tape: Tape, client: number, known: Knowledge): EtcdRequest {
  const compare = Array.from({ length: tape.choose(3, 'compares') }, () => drawCompare(tape, known));
  return {
    type: 'txn',
    compare,
    success: drawOperations(tape, client, known),
    failure: drawOperations(tape, client, known),
  };
}

function drawCompare(tape: Tape, known: Knowledge): Compare {
  const key = sharedKey(tape);
  const result =
    (['equal', 'greater', 'less', 'not-equal'] as const)[tape.choose(4, 'compare result')] ?? 'equal';
  const wide = tape.chance(1, 6, 'compare a range');
  const common = { key: wide ? 's/' : key, rangeEnd: wide ? prefixEnd('s/') : '', result };
  switch (tape.choose(4, 'compare target')) {
    case 0:
      return { ...common, target: { type: 'mod', value: known.modRevisions.get(key) ?? 0 } };
    case 1:
      return { ...common, target: { type: 'version', value: tape.choose(4, 'compared version') } };
    case 2:
      return { ...common, target: { type: 'create', value: known.modRevisions.get(key) ?? 0 } };
    default:
      return { ...common, target: { type: 'value', value: `${tape.choose(4, 'compared value')}.5` } };
  }
}

/** Keys are not repeated: etcd refuses a transaction that puts a key twice. */
function drawOperations(tape: Tape, client: number, known: Knowledge): TxnOperation[] {
  const operations: TxnOperation[] = [];
  const written = new Set<string>();
  for (let i = tape.choose(4, 'operations'); i > 0; i -= 1) {
    const key = sharedKey(tape);
    const drawn = tape.choose(5, 'operation');
    if (drawn < 2 || written.has(key)) {
      operations.push(range('s/', { rangeEnd: prefixEnd('s/'), limit: tape.choose(3, 'limit') }));
      continue;
    }
    written.add(key);
    if (drawn < 4) operations.push(put(key, nextValue(client, known)));
    else operations.push(deleteRange(key));
  }
  return operations;
}

function wideRange(tape: Tape, known: Knowledge): EtcdRequest {
  const old = known.revision > 0 && tape.chance(1, 4, 'read an old revision');
  return range('s', {
    rangeEnd: ['u', '\0', prefixEnd('s/')][tape.choose(3, 'range end')] ?? 'u',
    revision: old ? Math.max(known.revision - tape.choose(20, 'how old'), 1) : 0,
    limit: tape.choose(5, 'limit'),
    serializable: tape.chance(1, 3, 'serializable'),
    keysOnly: tape.chance(1, 6, 'keys only'),
    countOnly: tape.chance(1, 6, 'count only'),
    sortTarget:
      (['key', 'version', 'create', 'mod', 'value'] as const)[tape.choose(5, 'sort target')] ?? 'key',
    sortOrder: (['none', 'ascend', 'descend'] as const)[tape.choose(3, 'sort order')] ?? 'none',
    minModRevision: tape.chance(1, 8, 'least mod revision') ? Math.max(known.revision - 5, 0) : 0,
  });
}
