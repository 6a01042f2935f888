import { type KeyValue, type RequestOp, type ResponseOp, TxnRequest } from '@flotilla/wire';
import { Failure } from './failure.ts';
import { bytesOf, jsonOf, jsonText, textOf } from './json-text.ts';
import type { MessageBody } from './message.ts';
import type { Operation } from './operation.ts';
import { endOfPrefix } from './own-api.ts';
import { putOf, rangeOf, registerKey } from './registers.ts';

/** `[function, key, value]`, as Maelstrom writes it. */
type MicroOperation = readonly ['r' | 'append' | 'w', unknown, unknown];

/**
 * `txn` of txn-list-append and of txn-rw-register, as one transaction of the database without a compare: there is
 * nothing to be tried again, and so nothing that could be done twice.
 *
 * An element of a list is a key of its own below that of the list, `list/KEY/NAME` with a name that no other append
 * has: their order is that of the revisions that made them, and within a transaction that of their names. A read is a
 * range over them; it sees the puts that come before it in the same transaction, as etcd promises. A register is
 * written once per transaction, because etcd takes no key twice, and reads after that are answered from it.
 *
 * `name`: unique among all transactions of the cluster.
 */
export function transaction(body: MessageBody, name: string): Operation {
  const steps = microOperationsOf(body);
  requireOneKind(steps);
  const plan = planOf(steps, name);
  return {
    readsOnly: steps.every(([kind]) => kind === 'r'),
    run: async (api) => {
      if (plan.operations.length === 0) return { type: 'txn_ok', txn: [] };
      const { responses } = await api.txn(TxnRequest.create({ success: plan.operations }));
      return { type: 'txn_ok', txn: plan.answers.map((answer) => answer(responses)) };
    },
  };
}

interface Plan {
  readonly operations: readonly RequestOp[];
  /** Of each micro-operation, from the responses to the operations. */
  readonly answers: readonly ((responses: readonly ResponseOp[]) => MicroOperation)[];
}

function planOf(steps: readonly MicroOperation[], name: string): Plan {
  const operations: RequestOp[] = [];
  const answers: Plan['answers'][number][] = [];
  /** What this transaction has written so far, by the text of the key. */
  const written = new Map<string, unknown>();
  for (const [position, [kind, key, value]] of steps.entries()) {
    const text = jsonText(key);
    if (kind === 'r' && written.has(text)) {
      const own = written.get(text);
      answers.push(() => ['r', key, own]);
    } else if (kind === 'r') {
      const at = operations.length;
      const prefix = listPrefix(key);
      operations.push(rangeOf({ key: prefix, rangeEnd: endOfPrefix(prefix) }));
      operations.push(rangeOf({ key: registerKey(key) }));
      answers.push((responses) => ['r', key, valueOf(found(responses[at]), found(responses[at + 1]))]);
    } else {
      if (kind === 'append')
        operations.push(putOf(elementKey(key, name, position), bytesOf(jsonText(value))));
      else written.set(text, value);
      answers.push(() => [kind, key, value]);
    }
  }
  for (const [text, value] of written) {
    operations.push(putOf(registerKey(JSON.parse(text)), bytesOf(jsonText(value))));
  }
  return { operations, answers };
}

function listPrefix(key: unknown): Uint8Array {
  return bytesOf(`list/${jsonText(key)}/`);
}

function elementKey(key: unknown, name: string, position: number): Uint8Array {
  return bytesOf(`list/${jsonText(key)}/${name}/${String(position).padStart(POSITION_DIGITS, '0')}`);
}

const POSITION_DIGITS = 6;

function found(response: ResponseOp | undefined): readonly KeyValue[] {
  return response?.response?.case === 'responseRange' ? response.response.value.kvs : [];
}

/** A key is a list, a register, or not there; no client uses one as both. */
function valueOf(elements: readonly KeyValue[], register: readonly KeyValue[]): unknown {
  if (elements.length === 0) return register[0] === undefined ? null : jsonOf(register[0].value);
  const inOrder = elements.map((kv) => ({ kv, name: textOf(kv.key) }));
  inOrder.sort(
    (one, other) => one.kv.createRevision - other.kv.createRevision || (one.name < other.name ? -1 : 1),
  );
  return inOrder.map(({ kv }) => jsonOf(kv.value));
}

function microOperationsOf({ txn }: MessageBody): readonly MicroOperation[] {
  if (!Array.isArray(txn)) throw new Failure('malformedRequest', 'a txn needs a list of operations');
  return txn.map((step: unknown, position): MicroOperation => {
    if (!Array.isArray(step) || step.length !== 3) {
      throw new Failure('malformedRequest', `operation ${position} is no [function, key, value]`);
    }
    const [kind, key, value] = step as readonly unknown[];
    if (kind === 'r' || kind === 'append' || kind === 'w') return [kind, key, value];
    throw new Failure('notSupported', `operation ${position} is no r, append or w`);
  });
}

function requireOneKind(steps: readonly MicroOperation[]): void {
  const kinds = new Map<string, string>();
  for (const [kind, key] of steps) {
    if (kind === 'r') continue;
    const text = jsonText(key);
    const before = kinds.get(text);
    if (before !== undefined && before !== kind) {
      throw new Failure('malformedRequest', `${text} is used as a list and as a register`);
    }
    kinds.set(text, kind);
  }
}
