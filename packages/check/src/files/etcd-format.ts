import {
  type Compare,
  type CompareTarget,
  deleteRange,
  type DeleteRangeRequest,
  type EtcdEvent,
  type EtcdRequest,
  type EtcdResponse,
  type KeyValue,
  put,
  type PutRequest,
  range,
  type RangeRequest,
  type RevisionEvents,
  type TxnOperation,
  type TxnResult,
} from '../etcd/requests.ts';
import type { WatchEvent, WatchRecord, WatchRequest, WatchResponse } from '../etcd/watches.ts';
import type { HistoryFormat } from './history-file.ts';
import {
  bigInteger,
  flag,
  list,
  nullable,
  oneOf,
  record,
  type Shape,
  text,
  variants,
  whole,
  withDefault,
} from './shape.ts';

const keyValue = record<KeyValue>({
  key: text,
  value: text,
  createRevision: whole,
  modRevision: whole,
  version: whole,
  lease: withDefault(bigInteger, 0n),
});

const rangeFields = range('');
const rangeShape = {
  key: text,
  rangeEnd: withDefault(text, rangeFields.rangeEnd),
  revision: withDefault(whole, rangeFields.revision),
  limit: withDefault(whole, rangeFields.limit),
  serializable: withDefault(flag, rangeFields.serializable),
  keysOnly: withDefault(flag, rangeFields.keysOnly),
  countOnly: withDefault(flag, rangeFields.countOnly),
  sortTarget: withDefault<RangeRequest['sortTarget']>(
    oneOf('key', 'version', 'create', 'mod', 'value'),
    rangeFields.sortTarget,
  ),
  sortOrder: withDefault<RangeRequest['sortOrder']>(
    oneOf('none', 'ascend', 'descend'),
    rangeFields.sortOrder,
  ),
  minModRevision: withDefault(whole, rangeFields.minModRevision),
  maxModRevision: withDefault(whole, rangeFields.maxModRevision),
  minCreateRevision: withDefault(whole, rangeFields.minCreateRevision),
  maxCreateRevision: withDefault(whole, rangeFields.maxCreateRevision),
};

const putFields: PutRequest = put('', '');
const putShape = {
  key: text,
  value: withDefault(text, putFields.value),
  lease: withDefault(bigInteger, putFields.lease),
  prevKv: withDefault(flag, putFields.prevKv),
  ignoreValue: withDefault(flag, putFields.ignoreValue),
  ignoreLease: withDefault(flag, putFields.ignoreLease),
};

const deleteFields: DeleteRangeRequest = deleteRange('');
const deleteShape = {
  key: text,
  rangeEnd: withDefault(text, deleteFields.rangeEnd),
  prevKv: withDefault(flag, deleteFields.prevKv),
};

const compare = record<Compare>({
  key: text,
  rangeEnd: withDefault(text, ''),
  result: oneOf('equal', 'not-equal', 'greater', 'less'),
  target: variants<CompareTarget>({
    version: { value: whole },
    create: { value: whole },
    mod: { value: whole },
    value: { value: text },
    lease: { value: bigInteger },
  }),
});

/** Transactions hold transactions. */
const nestedOperation: Shape<TxnOperation> = (value, where) => txnOperation(value, where);
const nestedResult: Shape<TxnResult> = (value, where) => txnResult(value, where);

const txnShape = {
  compare: withDefault(list(compare), []),
  success: withDefault(list(nestedOperation), []),
  failure: withDefault(list(nestedOperation), []),
};
const txnOperation = variants<TxnOperation>({
  range: rangeShape,
  put: putShape,
  'delete-range': deleteShape,
  txn: txnShape,
});
const request = variants<EtcdRequest>({
  range: rangeShape,
  put: putShape,
  'delete-range': deleteShape,
  txn: txnShape,
  compact: { revision: whole },
});

const rangeResult = { kvs: list(keyValue), count: whole, more: withDefault(flag, false) };
const putResult = { prevKv: nullable(keyValue) };
const deleteResult = { deleted: whole, prevKvs: withDefault(list(keyValue), []) };
const branch = { succeeded: flag, responses: list(nestedResult) };
const txnResult = variants<TxnResult>({
  range: rangeResult,
  put: putResult,
  'delete-range': deleteResult,
  txn: branch,
});
const response = variants<EtcdResponse>({
  range: { ...rangeResult, revision: whole },
  put: { ...putResult, revision: whole },
  'delete-range': { ...deleteResult, revision: whole },
  txn: { ...branch, revision: whole },
  compact: { revision: whole },
  error: { error: oneOf('compacted', 'future-revision') },
});

/** Requests and responses of etcd; what a request leaves out has etcd's default. */
export const etcdFormat: HistoryFormat<EtcdRequest, EtcdResponse> = {
  operation: (value) => request(value, 'operation'),
  result: (value) => response(value, 'result'),
};

const eventShapes = {
  put: { kv: keyValue },
  delete: { key: text, modRevision: whole },
};

/** A line `{"type":"revision",…}`: what was really written, as a watch from revision 1 or the log tells it. */
export const revisionLine: Shape<RevisionEvents> = record<RevisionEvents>({
  revision: whole,
  events: list(variants<EtcdEvent>(eventShapes)),
});

/** A line `{"type":"watch",…}`: one watch as its client saw it. */
export const watchLine: Shape<WatchRecord> = record<WatchRecord>({
  name: text,
  request: record<WatchRequest>({
    key: text,
    rangeEnd: withDefault(text, ''),
    startRevision: withDefault(whole, 0),
    noPut: withDefault(flag, false),
    noDelete: withDefault(flag, false),
    prevKv: withDefault(flag, false),
  }),
  createdRevision: whole,
  responses: list(
    record<WatchResponse>({
      revision: whole,
      events: list(
        variants<WatchEvent>({
          put: { ...eventShapes.put, prevKv: nullable(keyValue) },
          delete: { ...eventShapes.delete, prevKv: nullable(keyValue) },
        }),
      ),
      fragment: withDefault(flag, false),
    }),
  ),
  completeThrough: withDefault(whole, 0),
});

/** A line `{"type":"store",…}`: what the store held before the first call. */
export interface StoreLine {
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  /** The highest revision that was ever compacted. */
  readonly compactRevision: number;
}

export const storeLine: Shape<StoreLine> = record<StoreLine>({
  revision: withDefault(whole, 1),
  kvs: withDefault(list(keyValue), []),
  compactRevision: withDefault(whole, 0),
});
