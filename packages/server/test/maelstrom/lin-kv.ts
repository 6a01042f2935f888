import {
  checkLinearizability,
  History,
  registerModel,
  type RegisterOperation,
  type RegisterResult,
  type Verdict,
} from '@flotilla/check';
import type { Random } from '@flotilla/platform';
import { failureCodes } from '../../src/maelstrom/failure.ts';
import type { MessageBody } from '../../src/maelstrom/message.ts';
import { type Asked, describeReply, endOfError, type Workload } from './workload.ts';

/** Keys that are in use at a time, requests that each gets (the search for an order is costly), and values. */
const KEYS = 4;
const REQUESTS_PER_KEY = 60;
const VALUES = 5;

/** Maelstrom's `lin-kv`: many registers, each read, written and compared for a short time. */
export class LinKv implements Workload {
  readonly name = 'lin-kv';
  readonly #history = new History<RegisterOperation, RegisterResult>(() => performance.now());
  readonly #keys = Array.from({ length: KEYS }, (_, key) => ({ key, asked: 0 }));
  #nextKey = KEYS;

  next(client: number, random: Random): Asked {
    const place = random.below(KEYS);
    const used = this.#keys[place] as { key: number; asked: number };
    used.asked += 1;
    if (used.asked === REQUESTS_PER_KEY) {
      this.#keys[place] = { key: this.#nextKey, asked: 0 };
      this.#nextKey += 1;
    }
    const { key } = used;
    switch (random.below(3)) {
      case 0:
        return this.#read(client, key);
      case 1: {
        const value = random.below(VALUES);
        const operation = { type: 'write', key: String(key), value: String(value) } as const;
        return this.#asked(client, { type: 'write', key, value }, operation, { type: 'write' });
      }
      default: {
        const [from, to] = [random.below(VALUES), random.below(VALUES)];
        const operation = {
          type: 'compare-and-swap',
          key: String(key),
          from: String(from),
          to: String(to),
        } as const;
        const swapped = { type: 'compare-and-swap', swapped: true } as const;
        return this.#asked(client, { type: 'cas', key, from, to }, operation, swapped);
      }
    }
  }

  lastReads(client: number): readonly Asked[] {
    return Array.from({ length: this.#nextKey }, (_, key) => this.#read(client, key));
  }

  judge(): Verdict {
    return checkLinearizability(registerModel, this.#history.calls).verdict;
  }

  #read(client: number, key: number): Asked {
    const operation = { type: 'read', key: String(key) } as const;
    return this.#asked(client, { type: 'read', key }, operation, null);
  }

  /** `result`: of a success; null: a read's, which says itself what it is. */
  #asked(
    client: number,
    body: MessageBody,
    operation: RegisterOperation,
    result: RegisterResult | null,
  ): Asked {
    return {
      body,
      kind: body.type,
      begin: () => {
        const id = this.#history.call(client, operation);
        return (reply) => {
          const found = reply === null ? null : answerOf(reply, operation, result);
          if (found !== null) {
            this.#history.returned(id, found);
            return 'ok';
          }
          const end = endOfError(reply, operation.type === 'read');
          this.#history[end](id, describeReply(reply));
          return end;
        };
      },
    };
  }
}

/** Null: it was not done, or nobody knows. «No such key» and «another value» are answers. */
function answerOf(
  reply: MessageBody,
  operation: RegisterOperation,
  result: RegisterResult | null,
): RegisterResult | null {
  if (reply.type === 'read_ok' && operation.type === 'read') {
    return { type: 'read', value: String(reply['value']) };
  }
  if (reply.type.endsWith('_ok')) return result;
  const code = reply['code'];
  if (operation.type === 'read' && code === failureCodes.keyDoesNotExist)
    return { type: 'read', value: null };
  const isRefused = code === failureCodes.keyDoesNotExist || code === failureCodes.preconditionFailed;
  const isSwap = operation.type === 'compare-and-swap';
  return isSwap && isRefused ? { type: 'compare-and-swap', swapped: false } : null;
}
