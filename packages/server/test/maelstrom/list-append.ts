import {
  checkListAppend,
  History,
  type ListOperation,
  type ListResult,
  type ListTransaction,
  type Verdict,
} from '@flotilla/check';
import type { Random } from '@flotilla/platform';
import type { MessageBody } from '../../src/maelstrom/message.ts';
import { type Asked, describeReply, endOfError, type Workload } from './workload.ts';

/** Maelstrom's defaults: keys that are in use at a time, appends to each, operations of a transaction. */
const KEYS = 10;
const APPENDS_PER_KEY = 16;
const OPERATIONS = 4;

/** Maelstrom's `txn-list-append`: transactions that read lists and append to them. */
export class ListAppend implements Workload {
  readonly name = 'txn-list-append';
  readonly #history = new History<ListTransaction, ListResult>(() => performance.now());
  readonly #keys = Array.from({ length: KEYS }, (_, key) => ({ key, appended: 0 }));
  #nextKey = KEYS;

  next(client: number, random: Random): Asked {
    const steps: ListOperation[] = [];
    for (let left = 1 + random.below(OPERATIONS); left > 0; left -= 1) {
      const place = random.below(KEYS);
      const used = this.#keys[place] as { key: number; appended: number };
      if (random.below(2) === 0) {
        steps.push({ type: 'read', key: String(used.key) });
        continue;
      }
      used.appended += 1;
      steps.push({ type: 'append', key: String(used.key), element: used.appended });
      if (used.appended < APPENDS_PER_KEY) continue;
      this.#keys[place] = { key: this.#nextKey, appended: 0 };
      this.#nextKey += 1;
    }
    return this.#asked(client, steps);
  }

  lastReads(client: number): readonly Asked[] {
    return Array.from({ length: this.#nextKey }, (_, key) =>
      this.#asked(client, [{ type: 'read', key: String(key) }]),
    );
  }

  judge(): Verdict {
    return checkListAppend(this.#history.calls).verdict;
  }

  #asked(client: number, steps: ListTransaction): Asked {
    const readsOnly = steps.every(({ type }) => type === 'read');
    const txn = steps.map((step) =>
      step.type === 'read' ? ['r', Number(step.key), null] : ['append', Number(step.key), step.element],
    );
    return {
      body: { type: 'txn', txn },
      kind: readsOnly ? 'read-only txn' : 'txn',
      begin: () => {
        const id = this.#history.call(client, steps);
        return (reply) => {
          if (reply?.type === 'txn_ok') {
            this.#history.returned(id, resultOf(reply, steps));
            return 'ok';
          }
          const end = endOfError(reply, readsOnly);
          this.#history[end](id, describeReply(reply));
          return end;
        };
      },
    };
  }
}

function resultOf({ txn }: MessageBody, steps: ListTransaction): ListResult {
  const done = txn as readonly (readonly [string, number, unknown])[];
  if (!Array.isArray(txn) || txn.length !== steps.length)
    throw new Error(`no completed transaction: ${JSON.stringify(txn)}`);
  return steps.map((step, position) => {
    const [kind, key, value] = done[position] as (typeof done)[number];
    const isSame = kind === (step.type === 'read' ? 'r' : 'append') && String(key) === step.key;
    if (!isSame) throw new Error(`another transaction was answered: ${JSON.stringify(txn)}`);
    return step.type === 'append' ? null : ((value ?? []) as readonly number[]);
  });
}
