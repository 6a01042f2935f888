import { failureCodes } from '../../src/maelstrom/failure.ts';
import { type Message, type MessageBody, parseMessage } from '../../src/maelstrom/message.ts';
import type { TestNode } from './test-node.ts';

/** What the nodes of a pretended cluster do wrong, now and then. */
export type Flaw =
  | 'none'
  /** A read answers what was there before the last write. */
  | 'stale read'
  /** A write is acknowledged, and not done. */
  | 'lost write'
  /** A write is done although its client is told that it was surely not. */
  | 'false denial'
  /** A transaction is done, tried again, and done again. */
  | 'done twice';

/** Nodes that share one memory, which makes them linearizable; what they do wrong the judges must see. */
export function pretendCluster(ids: readonly string[], flaw: Flaw): readonly TestNode[] {
  const memory = new Memory(flaw);
  return ids.map((id) => {
    const listeners: ((line: string) => void)[] = [];
    return {
      id,
      log: [],
      send: (line) => {
        const { src, body } = parseMessage(line) as Message;
        const reply = { ...memory.answer(body), in_reply_to: body.msg_id };
        setImmediate(() => {
          for (const tell of listeners) tell(JSON.stringify({ src: id, dest: src, body: reply }));
        });
      },
      onLine: (listener) => void listeners.push(listener),
      stop: () => Promise.resolve(),
    };
  });
}

/** Every so many writes or reads something is done wrong. */
const WRONG_EVERY = 7;

class Memory {
  readonly #flaw: Flaw;
  readonly #registers = new Map<unknown, unknown>();
  readonly #before = new Map<unknown, unknown>();
  readonly #lists = new Map<unknown, readonly unknown[]>();
  readonly #listsBefore = new Map<unknown, readonly unknown[]>();
  #count = 0;

  constructor(flaw: Flaw) {
    this.#flaw = flaw;
  }

  answer(body: MessageBody): MessageBody {
    const { key } = body;
    switch (body.type) {
      case 'init':
        return { type: 'init_ok' };
      case 'read': {
        const value = (this.#goesWrong('stale read') ? this.#before : this.#registers).get(key);
        return value === undefined ? refusal(failureCodes.keyDoesNotExist) : { type: 'read_ok', value };
      }
      case 'write':
        return this.#write(key, body['value'], 'write_ok');
      case 'cas': {
        const value = this.#registers.get(key);
        if (value === undefined) return refusal(failureCodes.keyDoesNotExist);
        if (value !== body['from']) return refusal(failureCodes.preconditionFailed);
        return this.#write(key, body['to'], 'cas_ok');
      }
      default:
        return this.#transaction(body['txn'] as readonly Step[]);
    }
  }

  #write(key: unknown, value: unknown, type: string): MessageBody {
    if (this.#goesWrong('lost write')) return { type };
    this.#before.set(key, this.#registers.get(key));
    this.#registers.set(key, value);
    return this.#goesWrong('false denial') ? refusal(failureCodes.temporarilyUnavailable) : { type };
  }

  #transaction(steps: readonly Step[]): MessageBody {
    const isLost = this.#goesWrong('lost write');
    const isStale = this.#goesWrong('stale read');
    const times = this.#goesWrong('done twice') ? 2 : 1;
    const txn = steps.map(([kind, key, value]): Step => {
      if (kind === 'r') return ['r', key, (isStale ? this.#listsBefore : this.#lists).get(key) ?? null];
      if (isLost) return [kind, key, value];
      const before = this.#lists.get(key) ?? [];
      this.#listsBefore.set(key, before);
      this.#lists.set(key, [...before, ...Array.from({ length: times }, () => value)]);
      return [kind, key, value];
    });
    const isDenied = steps.some(([kind]) => kind !== 'r') && this.#goesWrong('false denial');
    return isDenied ? refusal(failureCodes.temporarilyUnavailable) : { type: 'txn_ok', txn };
  }

  #goesWrong(flaw: Flaw): boolean {
    if (flaw !== this.#flaw) return false;
    this.#count += 1;
    return this.#count % WRONG_EVERY === 0;
  }
}

type Step = readonly [string, unknown, unknown];

function refusal(code: number): MessageBody {
  return { type: 'error', code, text: 'pretended' };
}
