import { checkInvariant, deleteRange, put, range } from '@flotilla/check';
import type { Compare, EtcdRequest, EtcdResponse, KeyValue, TxnOperation, TxnRequest } from '@flotilla/check';
import { spreadKeys } from './key-spread.ts';
import type { Ask, Draw, Workload, WorkloadClient } from './workload.ts';

const accounts = spreadKeys(7, 'account/');
const opened = 'h/bank';
const openingBalance = 20;
const total = accounts.length * openingBalance;
const lease = 7_001n;

/**
 * Money goes from account to account: nobody ever sees more or less of it, nor a debt. An account without money is
 * deleted; some are attached to a lease. What a transfer found is compared with what is there, sometimes in a nested
 * transaction.
 */
export const bank: Workload = {
  name: 'bank',
  leases: [lease],
  beginning: [
    {
      type: 'txn',
      compare: [{ key: opened, rangeEnd: '', result: 'equal', target: { type: 'version', value: 0 } }],
      success: [put(opened, 'open'), ...accounts.map((account) => put(account, String(openingBalance)))],
      failure: [],
    },
  ],
  client: () => new Customer(),
  judge: ({ calls, revisions }) => {
    const ranges = [opened, ...accounts].map((key) => ({ key, rangeEnd: '' }));
    const { verdict } = checkInvariant(calls, { name: 'bank/total', ranges, broken }, revisions);
    return new Map([['bank', verdict]]);
  },
};

function broken(keys: ReadonlyMap<string, KeyValue>): string | null {
  const expected = keys.has(opened) ? total : 0;
  const balances = accounts.map((account) => Number(keys.get(account)?.value ?? 0));
  const sum = balances.reduce((all, balance) => all + balance, 0);
  if (sum !== expected) return `the total of ${balances.join(', ')} is ${sum} and not ${expected}`;
  return balances.some((balance) => !(balance >= 0)) ? `somebody is in debt: ${balances.join(', ')}` : null;
}

interface Account {
  readonly key: string;
  readonly balance: number;
  /** Null: there is none now. */
  readonly kv: KeyValue | null;
}

class Customer implements WorkloadClient {
  async errand(ask: Ask, draw: Draw): Promise<void> {
    const drawn = draw(10, 'errand at the bank');
    if (drawn < 2) await ask(audit());
    else if (drawn < 3) await ask(range('\0', { rangeEnd: '\0' }));
    else if (drawn < 4) await this.#gather(ask, draw);
    else await this.#transfer(ask, draw);
  }

  async #transfer(ask: Ask, draw: Draw): Promise<void> {
    const from = draw(accounts.length, 'from account');
    const to = (from + 1 + draw(accounts.length - 1, 'to account')) % accounts.length;
    const found = await look(ask, [accounts[from] as string, accounts[to] as string]);
    const [payer, payee] = found;
    if (payer === undefined || payee === undefined || payer.balance === 0) return;
    const amount = draw(4, 'all of it') === 3 ? payer.balance : 1 + draw(payer.balance, 'amount');
    const changes = [
      this.#set(payer, payer.balance - amount, draw),
      this.#set(payee, payee.balance + amount, draw),
    ];
    const [first, second] = found.map((account) => sameAs(account, draw)) as [Compare, Compare];
    // Ranges within the transaction see what it has done so far, and what it will do not yet.
    const looks = draw(3, 'look within') === 2 ? accounts.map((account) => range(account)) : [];
    const operations = [...looks, ...changes.slice(0, 1), ...looks, ...changes.slice(1)];
    const failure = found.map(({ key }) => range(key));
    if (draw(3, 'nested') < 2) {
      await ask({ type: 'txn', compare: [first, second], success: operations, failure });
    } else {
      const inner: TxnRequest = { type: 'txn', compare: [second], success: operations, failure: [] };
      await ask({ type: 'txn', compare: [first], success: [inner, range(opened)], failure });
    }
  }

  /** Everything into one account, in one transaction over all of them. */
  async #gather(ask: Ask, draw: Draw): Promise<void> {
    const found = await look(ask, accounts);
    const target = found[draw(accounts.length, 'to account')];
    if (target === undefined) return;
    const gone = found.filter(({ key, kv }) => key !== target.key && kv !== null);
    const sum = found.reduce((all, { balance }) => all + balance, 0);
    const compare = found.map((account) => sameAs(account, draw));
    const deletions = gone.map(({ key }) => deleteRange(key, { prevKv: draw(2, 'previous kv') === 1 }));
    await ask({ type: 'txn', compare, success: [...deletions, this.#set(target, sum, draw)], failure: [] });
  }

  #set({ key }: Account, balance: number, draw: Draw): TxnOperation {
    const prevKv = draw(3, 'previous kv') === 2;
    if (balance === 0) return deleteRange(key, { prevKv });
    return put(key, String(balance), { prevKv, lease: draw(4, 'attach a lease') === 3 ? lease : 0n });
  }
}

/** The account is as it was found: unchanged, or with the same balance again. */
function sameAs({ key, kv }: Account, draw: Draw): Compare {
  const drawn = kv === null ? 0 : draw(3, 'compare');
  const common = { key, rangeEnd: '', result: 'equal' } as const;
  if (drawn === 1) return { ...common, target: { type: 'value', value: kv?.value ?? '' } };
  return { ...common, target: { type: 'mod', value: kv?.modRevision ?? 0 } };
}

function audit(): EtcdRequest {
  const success = [opened, ...accounts].map((key) => range(key));
  return { type: 'txn', compare: [], success, failure: [] };
}

/** As one transaction shows them; none: there was no answer. */
async function look(ask: Ask, keys: readonly string[]): Promise<readonly Account[]> {
  const success = keys.map((key) => range(key));
  const answer: EtcdResponse | null = await ask({ type: 'txn', compare: [], success, failure: [] });
  if (answer?.type !== 'txn') return [];
  return keys.map((key, i) => {
    const found = answer.responses[i];
    const kv = found?.type === 'range' ? (found.kvs[0] ?? null) : null;
    return { key, balance: Number(kv?.value ?? 0), kv };
  });
}
