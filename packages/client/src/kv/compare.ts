import { Compare, CompareResult, CompareTarget } from '@flotilla/wire';
import { toBytes } from '../bytes.ts';
import type { Bytes } from '../bytes.ts';
import { keyRange } from '../span.ts';
import type { KeyOrSpan } from '../span.ts';
import { leaseId } from './operations.ts';
import type { LeaseLike } from './operations.ts';

export type Comparison = '=' | '!=' | '<' | '>';

/** A fact that a transaction asks for. Of a span it must hold for each key that is there. */
export interface Condition {
  readonly message: Compare;
}

/**
 * The facts that a transaction can ask for.
 *
 * @example
 * client.if(when.missing('leader')).do(op.put('leader', me)).commit();
 */
export const when = {
  exists: (key: Bytes): Condition => createRevision(key, '>', 0),
  missing: (key: Bytes): Condition => createRevision(key, '=', 0),

  /** Of a key that is not there every number is 0. */
  version: (keys: KeyOrSpan, comparison: Comparison, value: number): Condition =>
    condition(keys, comparison, CompareTarget.VERSION, { case: 'version', value }),

  createRevision,

  modRevision: (keys: KeyOrSpan, comparison: Comparison, value: number): Condition =>
    condition(keys, comparison, CompareTarget.MOD, { case: 'modRevision', value }),

  /** By bytes. Never true of a key that is not there. */
  value: (keys: KeyOrSpan, comparison: Comparison, value: Bytes): Condition =>
    condition(keys, comparison, CompareTarget.VALUE, { case: 'value', value: toBytes(value) }),

  lease: (keys: KeyOrSpan, comparison: Comparison, lease: LeaseLike): Condition =>
    condition(keys, comparison, CompareTarget.LEASE, { case: 'lease', value: leaseId(lease) }),
} as const;

function createRevision(keys: KeyOrSpan, comparison: Comparison, value: number): Condition {
  return condition(keys, comparison, CompareTarget.CREATE, { case: 'createRevision', value });
}

function condition(
  keys: KeyOrSpan,
  comparison: Comparison,
  target: CompareTarget,
  targetUnion: Compare['targetUnion'],
): Condition {
  return { message: Compare.create({ ...keyRange(keys), result: results[comparison], target, targetUnion }) };
}

const results: Readonly<Record<Comparison, CompareResult>> = {
  '=': CompareResult.EQUAL,
  '!=': CompareResult.NOT_EQUAL,
  '<': CompareResult.LESS,
  '>': CompareResult.GREATER,
};
