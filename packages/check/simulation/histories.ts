import { seededRandom, type Random } from '@flotilla/platform';
import type { ScenarioResult } from '../../../scripts/mutations/mutation.ts';
import { perKeyCalls } from '../src/etcd/per-key.ts';
import { checkRevisions } from '../src/etcd/revisions.ts';
import { checkLinearizability } from '../src/linearizability.ts';
import { etcdKeyModel } from '../src/models/etcd-key.ts';
import { registerModel } from '../src/models/register.ts';
import { checkReadWriteRegisters } from '../src/transactions/read-write-registers.ts';
import { checkListAppend } from '../src/transactions/list-append.ts';
import { describeVerdict } from '../src/violation.ts';
import {
  areListsStrictlySerializable,
  areRegistersStrictlySerializable,
  isLinearizable,
  isStrictlySerializable,
} from './brute-force.ts';
import { corruptEtcdHistory, corruptRevisions, etcdHistory, isPlain } from './etcd-histories.ts';
import { corruptListHistory, listHistory } from './list-histories.ts';
import { corruptTransactionHistory, transactionHistory } from './transaction-histories.ts';
import { corruptRegisterHistory, registerHistory, type HistoryShape } from './register-histories.ts';

/**
 * Judges the judges: correct histories must be accepted, and on small histories that were tampered with the checkers
 * must agree with a search that knows nothing but the definition.
 */
export function run(seed: number): ScenarioResult {
  const random = seededRandom(seed);
  const message =
    smallRegisterHistories(random.fork('small register')) ??
    smallEtcdHistories(random.fork('small etcd')) ??
    longRegisterHistory(random.fork('long register')) ??
    longEtcdHistory(random.fork('long etcd')) ??
    perKeyHistory(random.fork('per key')) ??
    longListHistory(random.fork('long list')) ??
    smallListHistories(random.fork('small list')) ??
    longTransactionHistory(random.fork('long transactions')) ??
    smallTransactionHistories(random.fork('small transactions'));
  return { violation: message };
}

type Complaint = ScenarioResult['violation'];

function longRegisterHistory(random: Random): Complaint {
  const shape = { calls: 200, clients: 5, keys: 3, lostPercent: random.below(30), values: 1_000 };
  // Few values make writes look alike, so that it matters which lost one is used where.
  if (random.below(2) === 0) shape.values = 4;
  const { verdict } = checkLinearizability(registerModel, registerHistory(random, shape), {
    maxSteps: 2_000_000,
  });
  if (verdict.outcome === 'ok') return null;
  return { invariant: 'linearizability accepts', message: describeVerdict(verdict) };
}

function smallRegisterHistories(random: Random): Complaint {
  for (let round = 0; round < 10; round += 1) {
    const calls = corruptRegisterHistory(random, registerHistory(random, smallShape(random)));
    const expected = isLinearizable(registerModel, calls);
    const { verdict } = checkLinearizability(registerModel, calls);
    if ((verdict.outcome === 'ok') === expected) continue;
    const message = `says ${describeVerdict(verdict)}, expected ${expected} for ${JSON.stringify(calls)}`;
    return { invariant: 'linearizability = definition', message };
  }
  return null;
}

function longEtcdHistory(random: Random): Complaint {
  // Values are nearly unique, as in every real workload: they tell which lost write filled a gap.
  const shape = { calls: 150, clients: 5, keys: 4, lostPercent: random.below(5), values: 100_000 };
  const { calls, revisions } = etcdHistory(random, shape);
  for (const options of [{ persisted: revisions }, {}]) {
    const { verdict } = checkRevisions(calls, options);
    if (verdict.outcome === 'ok') continue;
    const how = 'persisted' in options ? 'with' : 'without';
    return { invariant: `revisions accept ${how} order`, message: describeVerdict(verdict) };
  }
  return null;
}

function perKeyHistory(random: Random): Complaint {
  const shape = { calls: 100, clients: 5, keys: 2, lostPercent: random.below(20), values: 100_000 };
  const { calls } = etcdHistory(random, shape, 'per-key');
  const { verdict } = checkLinearizability(etcdKeyModel, perKeyCalls(calls), { maxSteps: 2_000_000 });
  if (verdict.outcome === 'ok') return null;
  return { invariant: 'linearizability accepts etcd keys', message: describeVerdict(verdict) };
}

function smallEtcdHistories(random: Random): Complaint {
  for (let round = 0; round < 10; round += 1) {
    const shape = smallShape(random);
    const names = Array.from({ length: shape.keys }, (_, key) => `k${key}`);
    const run = etcdHistory(random, shape);
    const calls = corruptEtcdHistory(random, run.calls.filter(isPlain));
    const persisted = random.below(2) === 0 ? run.revisions : corruptRevisions(random, run.revisions);
    for (const order of [null, persisted]) {
      const expected = isStrictlySerializable(calls, names, order);
      const { verdict } = checkRevisions(calls, order === null ? {} : { persisted: order });
      if ((verdict.outcome === 'ok') === expected) continue;
      const how = order === null ? 'without' : 'with';
      const history = JSON.stringify([calls, order], (_, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      );
      const message = `says ${describeVerdict(verdict)}, expected ${expected} for ${history}`;
      return { invariant: `revisions ${how} order = definition`, message };
    }
  }
  return null;
}

function longListHistory(random: Random): Complaint {
  const shape = { calls: 200, clients: 5, keys: 1 + random.below(6), lostPercent: random.below(30) };
  const { verdict } = checkListAppend(listHistory(random, shape));
  return verdict.outcome === 'ok' ? null : { invariant: 'lists accepted', message: describeVerdict(verdict) };
}

function smallListHistories(random: Random): Complaint {
  for (let round = 0; round < 20; round += 1) {
    const calls = corruptListHistory(random, listHistory(random, smallShape(random)));
    const expected = areListsStrictlySerializable(calls);
    const { verdict } = checkListAppend(calls);
    // (Also what is bad must be shown.)
    if (verdict.outcome === (expected ? 'ok' : 'illegal')) continue;
    const message = `says ${describeVerdict(verdict)}, expected ${expected} for ${JSON.stringify(calls)}`;
    return { invariant: 'lists = definition', message };
  }
  return null;
}

function longTransactionHistory(random: Random): Complaint {
  const shape = { calls: 200, clients: 5, keys: 1 + random.below(6), lostPercent: random.below(30) };
  const { verdict } = checkReadWriteRegisters(transactionHistory(random, shape));
  if (verdict.outcome === 'ok') return null;
  return { invariant: 'registers accepted', message: describeVerdict(verdict) };
}

function smallTransactionHistories(random: Random): Complaint {
  for (let round = 0; round < 10; round += 1) {
    const calls = corruptTransactionHistory(random, transactionHistory(random, smallShape(random)));
    const expected = areRegistersStrictlySerializable(calls);
    const { verdict } = checkReadWriteRegisters(calls);
    // (Also what is bad must be shown.)
    if (verdict.outcome === (expected ? 'ok' : 'illegal')) continue;
    const message = `says ${describeVerdict(verdict)}, expected ${expected} for ${JSON.stringify(calls)}`;
    return { invariant: 'registers = definition', message };
  }
  return null;
}

function smallShape(random: Random): HistoryShape {
  return {
    calls: 3 + random.below(4),
    clients: 1 + random.below(3),
    keys: 1 + random.below(2),
    lostPercent: random.below(4) * 25,
    values: 1 + random.below(3),
  };
}
