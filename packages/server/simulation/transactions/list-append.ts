import { checkListAppend, prefixEnd, put, range } from '@flotilla/check';
import type { Compare, EtcdResponse, KeyValue, RangeRequest, TxnOperation, TxnResult } from '@flotilla/check';
import { listCallsOf } from './list-calls.ts';
import { keyLists, valueLists } from './lists.ts';
import type { Ask, Draw, Workload, WorkloadClient } from './workload.ts';

const lists = [...valueLists, ...keyLists];
const stepsMax = 4;
/** So that no two clients append the same. */
const elementsOfAClient = 1_000_000;

/** Transactions that read lists and append to them: the history that tells most about the order of transactions. */
export const listAppend: Workload = {
  name: 'list-append',
  leases: [],
  beginning: [],
  client: (number) => new Appender(number),
  judge: ({ calls }) => new Map([['list-append', checkListAppend(listCallsOf(calls)).verdict]]),
};

/** All elements of a list of keys, in the order in which they were appended. */
export function readOfKeyList(list: string): RangeRequest {
  return range(list, { rangeEnd: prefixEnd(list), sortTarget: 'create', sortOrder: 'ascend' });
}

class Appender implements WorkloadClient {
  readonly #number: number;
  /** What the client knows of the lists that are one value. */
  readonly #known = new Map<string, KeyValue>();
  #elements = 0;

  constructor(number: number) {
    this.#number = number;
  }

  async errand(ask: Ask, draw: Draw): Promise<void> {
    const steps = Array.from({ length: 1 + draw(stepsMax, 'steps') }, () => ({
      list: lists[draw(lists.length, 'list')] as string,
      appends: draw(2, 'append') === 1,
    }));
    const values = steps
      .filter(({ list, appends }) => appends && valueLists.includes(list))
      .map(({ list }) => list);
    if (values.length > 0 && draw(2, 'read first') === 0) await this.#read(ask, values);
    const appended = new Set<string>();
    const success: TxnOperation[] = [];
    const compare: Compare[] = [];
    for (const { list, appends } of steps) {
      if (!appends || appended.has(list)) success.push(readOf(list));
      else success.push(...this.#append(list, compare));
      if (appends) appended.add(list);
    }
    const answer = await ask({ type: 'txn', compare, success, failure: [...new Set(values)].map(readOf) });
    this.#learn(answer);
  }

  async #read(ask: Ask, keys: readonly string[]): Promise<void> {
    const success = [...new Set(keys)].map(readOf);
    this.#learn(await ask({ type: 'txn', compare: [], success, failure: [] }));
  }

  #append(list: string, compare: Compare[]): TxnOperation[] {
    this.#elements += 1;
    const element = String((this.#number + 1) * elementsOfAClient + this.#elements);
    if (!valueLists.includes(list)) return [put(`${list}${element}`, element)];
    const known = this.#known.get(list);
    const target = { type: 'mod', value: known?.modRevision ?? 0 } as const;
    compare.push({ key: list, rangeEnd: '', result: 'equal', target });
    return [put(list, known === undefined ? element : `${known.value},${element}`)];
  }

  #learn(answer: EtcdResponse | null): void {
    if (answer?.type !== 'txn') return;
    const results: readonly TxnResult[] = answer.responses;
    for (const kv of results.flatMap((result) => (result.type === 'range' ? result.kvs : []))) {
      if (valueLists.includes(kv.key)) this.#known.set(kv.key, kv);
    }
  }
}

function readOf(list: string): RangeRequest {
  return valueLists.includes(list) ? range(list) : readOfKeyList(list);
}
