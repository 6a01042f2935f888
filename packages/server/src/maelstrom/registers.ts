import {
  Compare,
  CompareResult,
  CompareTarget,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
} from '@flotilla/wire';
import { Failure } from './failure.ts';
import { bytesOf, jsonOf, jsonText } from './json-text.ts';
import type { MessageBody } from './message.ts';
import type { OwnApi } from './own-api.ts';
import type { Operation } from './operation.ts';

/** The key of the database that holds the register, as does the transaction workload `txn-rw-register`. */
export function registerKey(key: unknown): Uint8Array {
  return bytesOf(`register/${jsonText(key)}`);
}

/** `read` of lin-kv. */
export function readRegister(body: MessageBody): Operation {
  const key = registerKey(fieldOf(body, 'key'));
  return {
    readsOnly: true,
    run: async (api) => {
      const [found] = (await api.range(RangeRequest.create({ key }))).kvs;
      if (found === undefined) throw missing(body);
      return { type: 'read_ok', value: jsonOf(found.value) };
    },
  };
}

/** `write` of lin-kv. */
export function writeRegister(body: MessageBody): Operation {
  const key = registerKey(fieldOf(body, 'key'));
  const value = bytesOf(jsonText(fieldOf(body, 'value')));
  return {
    readsOnly: false,
    run: async (api) => {
      await api.put(PutRequest.create({ key, value }));
      return { type: 'write_ok' };
    },
  };
}

/** `cas` of lin-kv: one transaction, which says what it has found where it has changed nothing. */
export function compareAndSet(body: MessageBody): Operation {
  const key = registerKey(fieldOf(body, 'key'));
  const from = bytesOf(jsonText(fieldOf(body, 'from')));
  const to = bytesOf(jsonText(fieldOf(body, 'to')));
  return { readsOnly: false, run: (api) => swap(api, body, key, from, to) };
}

async function swap(
  api: OwnApi,
  body: MessageBody,
  key: Uint8Array,
  from: Uint8Array,
  to: Uint8Array,
): Promise<MessageBody> {
  const holds = Compare.create({
    key,
    target: CompareTarget.VALUE,
    result: CompareResult.EQUAL,
    targetUnion: { case: 'value', value: from },
  });
  const { succeeded, responses } = await api.txn(
    TxnRequest.create({ compare: [holds], success: [putOf(key, to)], failure: [rangeOf({ key })] }),
  );
  if (succeeded) return { type: 'cas_ok' };
  const response = responses[0]?.response;
  const found = response?.case === 'responseRange' ? response.value.kvs[0] : undefined;
  if (found === undefined) throw missing(body);
  throw new Failure('preconditionFailed', `the value is ${jsonText(jsonOf(found.value))}`);
}

export function putOf(key: Uint8Array, value: Uint8Array): RequestOp {
  return { request: { case: 'requestPut', value: PutRequest.create({ key, value }) } };
}

export function rangeOf(range: Partial<RangeRequest>): RequestOp {
  return { request: { case: 'requestRange', value: RangeRequest.create(range) } };
}

function missing(body: MessageBody): Failure {
  return new Failure('keyDoesNotExist', `there is no key ${jsonText(body['key'])}`);
}

function fieldOf(body: MessageBody, name: string): unknown {
  const value = body[name];
  if (value === undefined) throw new Failure('malformedRequest', `a ${body.type} needs a ${name}`);
  return value;
}
