import { type KnownDifference, knownDifferences } from './known-differences.ts';
import { type Operation, render } from './operations.ts';
import type { Outcome } from './side.ts';

export interface Difference {
  /** Position in the list of operations. */
  readonly at: number;
  readonly what: string;
  readonly etcd: string;
  readonly flotilla: string;
}

export const ANSWERS_DIFFER = 'the answers differ';

/** Null: equal, or known to differ. `known` is told of the latter. */
export function compareOutcomes(
  at: number,
  operation: Operation,
  outcomes: { readonly etcd: Outcome; readonly flotilla: Outcome },
  known: (difference: KnownDifference) => void,
): Difference | null {
  const etcd = textOf(operation, outcomes.etcd);
  const flotilla = textOf(operation, outcomes.flotilla);
  if (etcd === flotilla) return null;
  const expected = knownDifferences.find((entry) => entry.matches({ operation, etcd, flotilla }));
  if (expected === undefined) return { at, what: ANSWERS_DIFFER, etcd, flotilla };
  known(expected);
  return null;
}

function textOf(operation: Operation, outcome: Outcome): string {
  if ('error' in outcome) return outcome.error;
  return render(withoutTimes(operation, withoutIds(outcome.response)));
}

/** Of the cluster, and the terms of its leaders. */
function withoutIds<T>(value: T): T {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => withoutIds(item)) as T;
  const fields = Object.entries(value).filter(([name]) => !idFields.has(name));
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutIds(field as unknown)])) as T;
}

const idFields = new Set(['clusterId', 'memberId', 'raftTerm']);

/** What a lease has left, and what etcd answers in no order or in that of times, or draws at random. */
function withoutTimes(operation: Operation, response: object): object {
  if (operation.kind !== 'call') return response;
  switch (operation.method) {
    case 'Lease/LeaseTimeToLive': {
      const { ttl, keys, ...rest } = response as { ttl: number; keys: readonly Uint8Array[] };
      return { ...rest, ttl: Math.sign(ttl), keys: keys.map(render).sort() };
    }
    case 'Lease/LeaseLeases': {
      const { leases, ...rest } = response as { leases: readonly { id: bigint }[] };
      return { ...rest, leases: leases.map(render).sort() };
    }
    case 'Auth/Authenticate': {
      const { token, ...rest } = response as { token: string };
      return { ...rest, token: token === '' ? '' : 'a token' };
    }
    default:
      return response;
  }
}
