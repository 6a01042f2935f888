import { answerDifference, sameEvents } from '../src/etcd/difference.ts';
import { execute as executeTxn } from '../src/etcd/execute.ts';
import { KeySpace } from '../src/etcd/key-space.ts';
import type { EtcdCall, RevisionEvents, TxnOperation, TxnResult } from '../src/etcd/requests.ts';
import { endOf, type Call } from '../src/history.ts';
import type { Model } from '../src/model.ts';
import type { ListCall } from '../src/transactions/list-append.ts';
import type { RegisterCall } from '../src/transactions/read-write-registers.ts';
import { execute } from './list-histories.ts';
import { executeRegisters, type Registers } from './transaction-histories.ts';

/**
 * Linearizability by its definition: some order of the calls respects real time and the model, whatever the cost.
 * No partitions, no memory, no pruning: as simple as can be, to judge the fast checkers on small histories.
 */
export function isLinearizable<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  calls: readonly Call<Operation, Result>[],
): boolean {
  const search = (
    remaining: readonly Call<Operation, Result>[],
    states: ReadonlyMap<string, State>,
  ): boolean => {
    if (remaining.every((call) => call.outcome.type === 'unknown')) return true;
    return remaining.some((call) => {
      if (mustWait(call, remaining)) return false;
      const part = model.partition(call.operation);
      const result = call.outcome.type === 'returned' ? call.outcome.result : null;
      const next = model.step(states.get(part) ?? model.initial, call.operation, result);
      if (next === undefined) return false;
      return search(without(remaining, call), new Map(states).set(part, next));
    });
  };
  return search(
    calls.filter((call) => call.outcome.type !== 'failed'),
    new Map(),
  );
}

/**
 * Strict serializability of etcd histories by its definition, revisions included. With `persisted`, the order must
 * also write exactly that. Histories without serializable reads, of requests that etcd never refuses.
 */
export function isStrictlySerializable(
  calls: readonly EtcdCall[],
  names: readonly string[],
  persisted: readonly RevisionEvents[] | null,
): boolean {
  const written: RevisionEvents[] = [];
  const search = (remaining: readonly EtcdCall[]): boolean => {
    if (remaining.every((call) => call.outcome.type === 'unknown')) {
      if (persisted === null || written.length === persisted.length) return true;
    }
    return remaining.some((call) => {
      if (mustWait(call, remaining)) return false;
      const events = place(call, names, written);
      if (events === null) return false;
      if (events.length === 0) return search(without(remaining, call));
      const revision = written.length + 2;
      const wanted = persisted?.[written.length];
      if (persisted !== null && (wanted === undefined || !sameEvents(wanted.events, events))) return false;
      written.push({ revision, events });
      const found = search(without(remaining, call));
      written.pop();
      return found;
    });
  };
  return search(calls);
}

/** Strict serializability of transactions on lists by its definition. */
export function areListsStrictlySerializable(calls: readonly ListCall[]): boolean {
  const search = (remaining: readonly ListCall[], lists: ReadonlyMap<string, number[]>): boolean => {
    if (remaining.every((call) => call.outcome.type === 'unknown')) return true;
    return remaining.some((call) => {
      if (mustWait(call, remaining)) return false;
      const next = new Map(lists);
      const result = execute(next, call.operation);
      const answered = call.outcome.type === 'returned' ? call.outcome.result : result;
      if (JSON.stringify(answered) !== JSON.stringify(result)) return false;
      return search(without(remaining, call), next);
    });
  };
  return search(
    calls.filter((call) => call.outcome.type !== 'failed'),
    new Map(),
  );
}

/**
 * Strict serializability of transactions on registers by its definition: all that the transactions write has the version
 * that somebody saw, one for each, and the versions of a key grow in that order.
 */
export function areRegistersStrictlySerializable(calls: readonly RegisterCall[]): boolean {
  const versions = versionsOf(calls);
  if (versions === null) return false;
  const search = (remaining: readonly RegisterCall[], registers: Registers): boolean => {
    if (remaining.length === 0) return true;
    return remaining.some((call) => {
      if (mustWait(call, remaining)) return false;
      const next = new Map(registers);
      const version = versions.get(call) ?? 0;
      const reads = executeRegisters(next, call.operation, version);
      if (reads === null) return false;
      const isLate = ({ type, key }: (typeof call.operation)[number]): boolean =>
        type === 'write' && (registers.get(key)?.version ?? 0) >= version;
      if (call.operation.some(isLate)) return false;
      if (call.outcome.type === 'returned' && !sameJson(call.outcome.result.reads, reads)) return false;
      return search(without(remaining, call), next);
    });
  };
  // What has no answer and nobody saw may as well not have happened.
  const isToPlace = (call: RegisterCall): boolean => call.outcome.type === 'returned' || versions.has(call);
  return search(
    calls.filter((call) => call.outcome.type !== 'failed' && isToPlace(call)),
    new Map(),
  );
}

/** The version of each writer, by its answer or by whoever read of it; null: there are two, or two have the same. */
function versionsOf(calls: readonly RegisterCall[]): Map<RegisterCall, number> | null {
  const seen = new Set<string>();
  const versions = new Map<RegisterCall, number>();
  const see = (writer: RegisterCall, version: number): void => {
    seen.add(`${writer.id} ${version}`);
    versions.set(writer, version);
  };
  for (const call of calls) {
    if (call.outcome.type !== 'returned') continue;
    const { version, reads } = call.outcome.result;
    if (version !== null) see(call, version);
    for (const [at, read] of reads.entries()) {
      if (read === null || read.value === null) continue;
      const { key } = call.operation[at]!;
      const isWriter = ({ operation }: RegisterCall): boolean =>
        operation.some((step) => step.type === 'write' && step.key === key && step.value === read.value);
      const writer = calls.find(isWriter);
      if (writer !== undefined) see(writer, read.version);
    }
  }
  const isClear = seen.size === versions.size && new Set(versions.values()).size === versions.size;
  return isClear ? versions : null;
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What the call writes as the next one in order, or null when it did not answer so. */
function place(
  call: EtcdCall,
  names: readonly string[],
  written: readonly RevisionEvents[],
): RevisionEvents['events'] | null {
  const request = call.operation as TxnOperation;
  const latest = written.length + 1;
  const at = request.type === 'range' && request.revision > 0 ? request.revision : latest;
  if (at > latest) return null;
  const space = new KeySpace(names);
  for (const { revision, events } of written) if (revision <= at) space.apply(events);
  const { result, events } = executeTxn(space, request, latest + 1)!;
  if (call.outcome.type !== 'returned') return events;
  const answer = call.outcome.result as TxnResult & { readonly revision: number };
  const header = events.length > 0 ? latest + 1 : latest;
  return answer.revision === header && answerDifference(request, result, answer) === null ? events : null;
}

/** Whether another call was over before this one was made. */
function mustWait(call: Call<unknown, unknown>, remaining: readonly Call<unknown, unknown>[]): boolean {
  return remaining.some((other) => endOf(other) < call.calledAt);
}

function without<T>(list: readonly T[], element: T): T[] {
  return list.filter((other) => other !== element);
}
